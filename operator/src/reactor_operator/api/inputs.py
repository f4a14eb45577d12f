"""The inputs of a run against the schema of its reactor: defaults first, then every error.

In: a schema and the inputs as written. Out: the inputs a run works with, or problems with their paths.
Never here: compiled schemas that are remembered (the caller keeps an `InputsSchema`), and changes to what was written.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson

from reactor_operator.api.document import TOO_DEEP, document_problems
from reactor_operator.api.problems import Problem, path_to, render_found
from reactor_operator.api.schema_work import SchemaWork, TooMuchWork
from reactor_operator.api.schemas import compile_schema, longest_said, message_of
from reactor_operator.api.sensitivity import ALL, sensitive_inputs
from reactor_operator.api.subschemas import Schema, schemas_of_item, schemas_of_member, schemas_of_root

BASE = "spec.inputs"
MAX_PROBLEMS = 1_000
MAX_DEFAULTS = 10_000
MAX_DEFAULT_BYTES = 4 << 20
MAX_SAID_BYTES = 64 << 20
MAX_JUDGEMENTS = 20_000_000
MAX_JUDGEMENTS_LISTED = 100_000


class InputsSchema:
    """A compiled schema of inputs, or of what else is called `base`. Raises ValueError for one that `schema_problems`
    would refuse."""

    __slots__ = ("_base", "_schema", "_sensitive", "_validator", "_work")

    def __init__(self, schema: Schema, base: str = BASE) -> None:
        self._base = base
        self._schema = schema
        self._sensitive = sensitive_inputs(schema)
        self._validator = compile_schema(schema)
        self._work = SchemaWork(schema)

    def apply(self, inputs: object) -> tuple[object, tuple[Problem, ...]]:
        """Return a copy of `inputs` with defaults filled in, and every error in it. Inputs of None are `{}`."""
        return self.judge({} if inputs is None else inputs)

    def judge(self, given: object) -> tuple[object, tuple[Problem, ...]]:
        """Return a copy of any document with defaults filled in, and every error in it."""
        if too_much := self._too_much(given):
            return given, (too_much,)
        filling = _Filling(self._schema)
        filled = filling.fill_root(copy.deepcopy(given))
        if filling.left < 0 or filling.bytes_left < 0:
            bounds = f"{MAX_DEFAULTS} defaults or {MAX_DEFAULT_BYTES} bytes of them"
            message = f"found a schema that fills in more than {bounds}, expected fewer"
            return filled, (Problem(self._base, message, "InvalidSchema"),)
        too_deep = tuple(one for one in document_problems(filled, self._base) if one.reason == TOO_DEEP)
        if too_deep:
            return filled, too_deep
        if too_much := self._too_much(filled):
            return filled, (too_much,)
        if self._validator.is_valid(filled):
            return filled, ()
        values, depth = _measured(filled)
        few = longest_said(self._schema) * values <= MAX_SAID_BYTES
        every = few and self._judges_within(MAX_JUDGEMENTS_LISTED, values, depth)
        found = (problem for error in self._errors(filled, every=every) for problem in _problems(error, self._base))
        if self._sensitive:
            found = (unsaid(problem, self._sensitive) for problem in found)
        return filled, tuple(islice(dict.fromkeys(islice(found, MAX_PROBLEMS + 1)), MAX_PROBLEMS))

    def _too_much(self, document: object) -> Problem | None:
        """Return the problem of a document that would be judged, or looked through for defaults, for too long."""
        values, depth = _measured(document)
        if self._judges_within(MAX_JUDGEMENTS, values, depth):
            return None
        message = (
            f"found {values} values, nested {depth} deep, that the schema judges too often in all:"
            " combine and refer to less in it, or give fewer values"
        )
        return Problem(self._base, message, "InvalidSchema")

    def _judges_within(self, limit: int, values: int, depth: int) -> bool:
        """Return whether so many values, nested so deep, are judged at most `limit` times in all."""
        try:
            return self._work.visits(depth, limit // values) * values <= limit
        except TooMuchWork:
            return False

    def _errors(self, inputs: object, *, every: bool) -> Iterator[Any]:
        """Return every error of `inputs`, which is not valid; else the first alone, where all would be too many."""
        if every:
            return iter(self._validator.iter_errors(inputs))
        try:
            self._validator.validate(inputs)
        except ValueError as error:
            return iter([error])
        return iter([])


def unsaid(problem: Problem, names: frozenset[str]) -> Problem:
    """Return a problem of an input, without what was found where these inputs are sensitive."""
    first = problem.path.removeprefix(f"{BASE}.").partition(".")[0].partition("[")[0]
    plain = problem.reason in ("Required", "UnknownField", "InvalidSchema", TOO_DEEP)
    if plain or (first not in names and ALL not in names and not problem.path.startswith(f"{BASE}[")):
        return problem
    return replace(problem, message="found a sensitive value, not shown, that the schema does not allow")


def _measured(document: object) -> tuple[int, int]:
    """Return how many values are in `document`, and how deep they are nested."""
    count = depth = 0
    level = [document]
    while level:
        count += len(level)
        depth += 1
        below: list[object] = []
        for node in level:
            if isinstance(node, Mapping):
                below += node.values()
            elif isinstance(node, list):
                below += node
        level = below
    return count, depth


def apply_inputs(schema: Schema | None, inputs: object) -> tuple[object, tuple[Problem, ...]]:
    """Return `inputs` with the defaults of `schema` filled in, and every error; without a schema, as they are."""
    if schema is None:
        return ({} if inputs is None else inputs), ()
    return InputsSchema(schema).apply(inputs)


class _Filling:
    """One pass that fills defaults into a value. `left` and `bytes_left` fall below zero where it would never end."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.left = MAX_DEFAULTS
        self.bytes_left = MAX_DEFAULT_BYTES
        self._sizes: dict[int, int] = {}

    def fill_root(self, value: object) -> object:
        schemas = schemas_of_root(self.root)
        self._fill(value, schemas, 0)
        return value

    def _fill(self, value: object, schemas: Any, depth: int) -> None:
        if not schemas or self.left < 0 or self.bytes_left < 0:
            return
        if depth > 200:
            self.left = -1
            return
        if isinstance(value, dict):
            names = dict.fromkeys(name for schema in schemas for name in _members(schema))
            for name in dict.fromkeys((*names, *value)):
                below = schemas_of_member(schemas, name, self.root)
                if name not in value:
                    self._default(value, name, below)
                if name in value:
                    self._fill(value[name], below, depth + 1)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._fill(item, schemas_of_item(schemas, index, self.root), depth + 1)

    def _default(self, value: dict[str, object], name: str, schemas: Any) -> None:
        """Fill in the first default that the schemas of a missing member name."""
        for schema in schemas:
            if "default" in schema:
                self.left -= 1
                self.bytes_left -= self._size_of(schema)
                if self.left >= 0 and self.bytes_left >= 0:
                    value[name] = copy.deepcopy(schema["default"])
                return

    def _size_of(self, schema: Schema) -> int:
        """Return the size of a schema's default as JSON. Schemas live as long as this pass, so their ids name them."""
        if id(schema) not in self._sizes:
            self._sizes[id(schema)] = len(orjson.dumps(schema["default"]))
        return self._sizes[id(schema)]


def _members(schema: Schema) -> Iterator[str]:
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        yield from properties


def _problems(error: Any, base: str) -> Iterator[Problem]:
    """Turn one error into problems: a missing member and an unexpected one are named by their own paths."""
    path = path_to(base, error.instance_path)
    match type(error.kind).__name__.rpartition("_")[2]:
        case "Required":
            message = "found none, expected a value: the field is required"
            yield Problem(path_to(path, [error.kind.property]), message, "Required")
        case "AdditionalProperties" | "UnevaluatedProperties":
            for name in error.kind.unexpected:
                yield Problem(path_to(path, [name]), f"unknown field {render_found(name)}", "UnknownField")
        case _:
            yield Problem(path, message_of(error), "InvalidInputs")
