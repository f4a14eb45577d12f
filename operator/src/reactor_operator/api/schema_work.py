"""How often a schema looks at one value: what references and branches make of it is found before it is done.

In: a sound schema and how deep the inputs are nested. Out: a bound on how often any single value is judged.
Never here: a value, a validator.

A validator follows references wherever they lead and forgets that it has been there: twenty definitions that name the
next one twice judge an empty object a million times, and nothing interrupts it or bounds its memory. Without references
every part judges a value once at most: their number is a bound that costs nothing, and most schemas need no other.

The bound: a value is judged by a schema, by what that refers to and combines (`here`), and each judges its members and
items in turn; members of different names are different values, so the dearest name counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reactor_operator.api.subschemas import resolve_reference

MAX_VISITS = 10_000
_MAX_STEPS = 2_000_000
_MAX_CHAIN = 100
_ONE = ("not", "if", "then", "else")
_MANY = ("allOf", "anyOf", "oneOf")
_EVERY_MEMBER = ("additionalProperties", "unevaluatedProperties", "propertyNames")
_EVERY_ITEM = ("items", "unevaluatedItems", "contains")
_ANY_MEMBER, _ANY_ITEM = "*", "[]"

Below = dict[str, dict[int, int]]


class TooMuchWork(Exception):
    """The schema judges some value more often than `MAX_VISITS`, or it cannot be told in reasonable time."""


@dataclass(slots=True)
class _Judged:
    """How often a value is judged, and by which schemas (by id, with how often) its members and items are."""

    here: int = 1
    below: Below = field(default_factory=dict)


class SchemaWork:
    """The work of one schema. `visits` raises TooMuchWork."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
        self._refers, self._parts, self._anchors = _survey(root)
        self._schemas: dict[int, Mapping[str, object]] = {}
        self._judged: dict[int, _Judged] = {}
        self._steps = 0

    def visits(self, depth: int, enough: int = 0) -> int:
        """Return how often any value of inputs that are nested `depth` deep is judged. Raises TooMuchWork.

        A bound that is not above `enough` need not be the lowest.
        """
        if not self._refers and self._parts <= enough:
            return self._parts
        self._steps = 0
        root = self._known(self._root)
        reachable = self._reachable(root)
        visits = {name: self._judge(name).here for name in reachable}
        for _ in range(depth):
            deeper = {name: self._deeper(self._judge(name), visits) for name in reachable}
            if deeper == visits:
                break
            visits = deeper
        return visits[root]

    def _deeper(self, judged: _Judged, visits: Mapping[int, int]) -> int:
        sums = {place: sum(count * visits[name] for name, count in who.items()) for place, who in judged.below.items()}
        self._step(1 + len(sums))
        every_member, every_item = sums.pop(_ANY_MEMBER, 0), sums.pop(_ANY_ITEM, 0)
        named = (total + (every_member if place[0] == "." else every_item) for place, total in sums.items())
        return self._bounded(judged.here + max(every_member, every_item, *named, 0))

    def _reachable(self, root: int) -> list[int]:
        found = {root: None}
        waiting = [root]
        while waiting:
            for who in self._judge(waiting.pop()).below.values():
                new = [name for name in who if name not in found]
                found |= dict.fromkeys(new)
                waiting += new
        return list(found)

    def _known(self, schema: Mapping[str, object]) -> int:
        self._schemas[id(schema)] = schema
        return id(schema)

    def _judge(self, name: int, chain: int = 0) -> _Judged:
        """Return what judging a value by this schema means, with all that it refers to and combines."""
        if name in self._judged:
            return self._judged[name]
        if chain > _MAX_CHAIN:
            raise TooMuchWork
        judged = self._judged[name] = _Judged()  # whoever comes here again meanwhile refers to itself: it adds nothing
        try:
            self._fill(judged, self._schemas[name], chain)
        except TooMuchWork:
            del self._judged[name]
            raise
        return judged

    def _fill(self, judged: _Judged, schema: Mapping[str, object], chain: int) -> None:
        for place, below in _children(schema):
            who = judged.below.setdefault(place, {})
            who[self._known(below)] = who.get(id(below), 0) + 1
        for other in self._combined(schema):
            self._add(judged, self._judge(self._known(other), chain + 1))

    def _add(self, judged: _Judged, other: _Judged) -> None:
        judged.here = self._bounded(judged.here + other.here)
        for place, who in other.below.items():
            self._step(1 + len(who))
            into = judged.below.setdefault(place, {})
            for name, count in who.items():
                into[name] = self._bounded(into.get(name, 0) + count)

    def _combined(self, schema: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
        """Yield the schemas that judge the same value."""
        for key in ("$ref", "$dynamicRef"):
            reference = schema.get(key)
            if isinstance(reference, str):
                found = self._anchors.get(reference) or resolve_reference(reference, self._root)
                yield from _mappings([found])
        for key in _ONE:
            yield from _mappings([schema.get(key)])
        for key in _MANY:
            yield from _mappings(schema.get(key))
        dependent = schema.get("dependentSchemas")
        yield from _mappings(list(dependent.values()) if isinstance(dependent, Mapping) else None)

    def _step(self, count: int) -> None:
        self._steps += count
        if self._steps > _MAX_STEPS:
            raise TooMuchWork

    def _bounded(self, count: int) -> int:
        if count > MAX_VISITS:
            raise TooMuchWork
        return count


def _children(schema: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the schemas that judge members and items, each with the place that it judges."""
    properties, patterns = schema.get("properties"), schema.get("patternProperties")
    if isinstance(properties, Mapping):
        for name, below in properties.items():
            yield from ((f".{name}", one) for one in _mappings([below]))
    every = list(patterns.values()) if isinstance(patterns, Mapping) else []
    for below in _mappings([*every, *(schema.get(key) for key in _EVERY_MEMBER)]):
        yield _ANY_MEMBER, below
    first = schema.get("prefixItems")
    for index, below in enumerate(first if isinstance(first, list) else []):
        yield from ((f"[{index}]", one) for one in _mappings([below]))
    for below in _mappings([schema.get(key) for key in _EVERY_ITEM]):
        yield _ANY_ITEM, below


def _mappings(found: object) -> Iterator[Mapping[str, object]]:
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, Mapping))


def _survey(schema: object) -> tuple[bool, int, dict[str, Mapping[str, object]]]:
    """Return whether anything in `schema` refers to anything, how many objects it has, and what `#NAME` refers to."""
    refers, parts = False, 0
    anchors: dict[str, Mapping[str, object]] = {}
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            parts += 1
            refers = refers or "$ref" in node or "$dynamicRef" in node
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(name := node.get(key), str):
                    anchors[f"#{name}"] = node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return refers, parts, anchors
