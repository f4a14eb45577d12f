"""What of a run is sensitive: encrypted in the store, and `***` for people.

In: facts that `taint` told. Out: frozen values to ask. Never here: how it is told, or a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from reactor_operator.api.subschemas import parts_of_schema
from reactor_operator.api.templates import template_of
from reactor_operator.engine.identity import Action

MASK = "***"
ALL = "\0all"
"""Stands among names for every name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitive:
    """What of one task is sensitive: arguments by name, the step's result, and the request that it sends."""

    arguments: frozenset[str] = frozenset()
    result: bool = False
    request: bool = False

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.arguments) or self.result or self.request


HARMLESS = Sensitive()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What of a run is sensitive. Asked by actual paths (`rows[7]/store`); what it has is by template (`rows[]/store`).

    inputs:    names of inputs, by the path of the step that has them (ROOT: the run's own); ALL stands for every one.
    arguments: names of arguments, by the path of their step.
    results:   paths of steps; ROOT: what the run returns.
    requests:  paths of steps with the action whose request it is.
    elements:  paths of maps whose elements are.
    maps:      paths of all maps of the run.
    correlations: paths of interrupts whose correlation id is.
    """

    inputs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    arguments: Mapping[str, frozenset[str]] = field(default_factory=dict)
    results: frozenset[str] = frozenset()
    requests: frozenset[tuple[str, Action]] = frozenset()

    elements: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    correlations: frozenset[str] = frozenset()

    def of_task(self, path: str, action: Action) -> Sensitive:
        """Return what is sensitive of the tasks of one action."""
        at = self._template(path)
        if at not in self.arguments and at not in self.results and (at, action) not in self.requests:
            return HARMLESS
        return Sensitive(
            arguments=self.arguments.get(at, frozenset()),
            result=at in self.results,
            request=(at, action) in self.requests,
        )

    def inputs_of(self, path: str) -> frozenset[str]:
        """Return the names of the sensitive inputs of a scope."""
        return self.inputs.get(self._template(path), frozenset())

    def arguments_of(self, path: str) -> frozenset[str]:
        """Return the names of the sensitive arguments of a step."""
        return self.arguments.get(self._template(path), frozenset())

    def has_result(self, path: str) -> bool:
        """Return whether the result of a step is sensitive (ROOT: what the run returns)."""
        return self._template(path) in self.results

    def has_elements(self, path: str) -> bool:
        """Return whether the elements of a map are sensitive."""
        return self._template(path) in self.elements

    def _template(self, path: str) -> str:
        return template_of(path, self.maps.__contains__)[0] if self.maps and "[" in path else path


NOTHING = Sensitivity()


def mentions_sensitive(*documents: object) -> bool:
    """Return whether anything in these documents may be called sensitive: told at once for the many that have none."""
    try:
        return b'"sensitive"' in orjson.dumps(documents)
    except TypeError:  # too deep to be written, or a number too large: it may
        return True


def sensitive_inputs(schema: Mapping[str, object] | None) -> frozenset[str]:
    """Return the inputs that `schema` calls sensitive, or something in them; ALL where it says so elsewhere.

    A definition that several inputs may refer to is elsewhere: rather too much is kept than too little.
    """
    if schema is None:
        return frozenset()
    properties = schema.get("properties")
    named = properties if isinstance(properties, Mapping) else {}
    rest = {key: part for key, part in schema.items() if key != "properties"}
    if _says_sensitive(rest):
        return frozenset({ALL})
    return frozenset(name for name, part in named.items() if _says_sensitive(part))


def hidden(value: object, names: frozenset[str]) -> object:
    """Return an object with the members of these names masked; ALL masks every one."""
    if not names or not isinstance(value, Mapping):
        return MASK if ALL in names else value
    return {name: MASK if name in names or ALL in names else member for name, member in value.items()}


def parts_of(value: object, names: frozenset[str]) -> list[object]:
    """Return the members of these names, in the order of the object."""
    if not names or not isinstance(value, Mapping):
        return [value] if ALL in names else []
    return [member for name, member in value.items() if name in names or ALL in names]


def _says_sensitive(schema: object) -> bool:
    waiting = [(schema, False)]
    while waiting:
        node, by_name = waiting.pop()
        if isinstance(node, Mapping):
            if not by_name and node.get("sensitive") is True:
                return True
            waiting += ((part, names) for _, part, names in parts_of_schema(node, by_name=by_name))
        elif isinstance(node, list):
            waiting += ((part, False) for part in node)
    return False
