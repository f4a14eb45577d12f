"""What waits for what: the edges between steps, told from `waitFor`, from sources and from expressions.

In: the steps of a reactor. Out: `Graph`: for each step the places it needs, and every problem of names, references and
cycles. Never here: policies. Linear in the number of steps and edges.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.bodies import Body
from reactor_operator.api.expressions import COLLECTED, expression_references
from reactor_operator.api.maps import Map, MapTask
from reactor_operator.api.problems import Problem, nearest, path_to, render_found
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source

CYCLES_SHOWN = 100
CYCLE_LENGTH_SHOWN = 20
COMPARISONS = 20_000
"""How many names are compared, over all unknown ones, to find the one that was meant."""
_NAME_SHOWN = 63
_CORRELATION = ("interrupt", "correlationId")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What waits for what among the steps of one scope.

    needs:   places by place (places that are sound, in order of mention), of the step itself and of all inside it.
    outside: names of steps around the scope that anything inside reads or waits for.
    """

    needs: Mapping[int, tuple[int, ...]]
    outside: tuple[str, ...]
    problems: tuple[Problem, ...]


class Mention(NamedTuple):
    """A step named at `keys` of a step or source. `in_expression`: there `book_courier` may mean `book-courier`."""

    keys: tuple[str | int, ...]
    name: str
    in_expression: bool = False


def graph_of(
    names: Sequence[object],
    steps: Mapping[int, Step],
    returns: Source | None,
    *,
    base: str = "spec",
    field: str = "steps",
    around: "Names | None" = None,
) -> Graph:
    """Return the graph of `steps` (by place); `names` holds the names of all, also of steps that are not sound.

    They are written in `field` of `base`; `around` are the names that they see beside their own.
    """
    listed = f"{base}.{field}"
    index, problems = _names(names, listed, around)
    needs: dict[int, tuple[int, ...]] = {}
    outside: dict[str, None] = {}
    for place, step in steps.items():
        path = f"{listed}[{place}]"
        found: dict[int, None] = {}
        own: list[str] = []
        for mention in _mentions(step):
            if (meant := index.resolve(mention)) is None:
                problems.append(index.unknown(mention, path))
            elif index.places.get(meant) == place:
                message = f"step {step.name} refers to itself, expected another step"
                problems.append(Problem(path_to(path, mention.keys), message, "SelfReference"))
            else:
                own.append(meant)
        for keys, body in bodies_of(step):
            if body.steps is not None:
                field = path_to(path, keys)
                inside = inner_graph(body, field, index)
                problems += inside.problems
                if step.name in inside.outside:
                    message = f"found a step inside {step.name} that waits for it, expected another"
                    problems.append(Problem(field, message, "SelfReference"))
                own += (name for name in inside.outside if name != step.name)
        for name in own:
            needed = index.places.get(name)
            if needed is None:
                outside[name] = None
            else:
                found[needed] = None
        needs[place] = tuple(found)
    if returns is not None:
        for mention in mentions_of_source(returns):
            if (meant := index.resolve(mention)) is None:
                problems.append(index.unknown(mention, f"{base}.returns"))
            elif meant not in index.places:
                outside[meant] = None
    problems += _cycles(needs, names, listed)
    return Graph(needs=needs, outside=tuple(outside), problems=tuple(problems))


def inner_graph(body: Body, base: str, around: "Names") -> Graph:
    """Return the graph of the steps of a body, which see the names `around` them too."""
    steps = body.steps or ()
    return graph_of([step.name for step in steps], dict(enumerate(steps)), body.returns, base=base, around=around)


def finals_graph(names: Sequence[object], steps: Mapping[int, Step], around: "Names") -> Graph:
    """Return the graph of `finally` steps. They see the results of all steps, and wait only for each other."""
    return graph_of(names, steps, None, base="spec", field="finally", around=around)


class Names:
    """Steps by name, and in expressions by the word that stands for the name: those of a scope, then those around it.

    Gives hints while they cost at most `COMPARISONS`: each compares with all names, and a long list of unknown ones has
    a common cause.
    """

    def __init__(self, names: Iterable[str], around: "Names | None" = None) -> None:
        self.places: dict[str, int] = {name: place for place, name in enumerate(names)}
        self._words = {name.replace("-", "_"): name for name in self.places}
        self._around = around
        self._comparisons = COMPARISONS

    def resolve(self, mention: Mention) -> str | None:
        """Return the step that is meant."""
        if mention.name in self.places:
            return mention.name
        if mention.in_expression and mention.name in self._words:
            return self._words[mention.name]
        return self._around.resolve(mention) if self._around is not None else None

    def spoken(self, name: str) -> str | None:
        """Return the step around the scope that is spoken of as `name` is."""
        if self._around is None:
            return None
        word = name.replace("-", "_")
        return self._around._words.get(word) or self._around.spoken(name)

    def unknown(self, mention: Mention, base: str) -> Problem:
        """Return the problem of a name that nothing has."""
        known = list(self._all())
        self._comparisons -= len(known)
        near = nearest(mention.name, known) if self._comparisons >= 0 else None
        hint = f"did you mean {near}?" if near is not None else "expected the name of a step of this reactor"
        return Problem(path_to(base, mention.keys), f"unknown step {mention.name}: {hint}", "UnknownReference")

    def _all(self) -> Iterator[str]:
        yield from self.places
        if self._around is not None:
            yield from self._around._all()


def _names(names: Sequence[object], listed: str, around: Names | None) -> tuple[Names, list[Problem]]:
    """Return the names of a scope, and those that two steps share, also only in expressions or with one around."""
    places: dict[str, int] = {}
    spoken: dict[str, int] = {}
    problems: list[Problem] = []
    for place, name in enumerate(names):
        if not isinstance(name, str):
            continue
        path = f"{listed}[{place}].name"
        if name in places:
            other = f"{listed}[{places[name]}]"
            message = f"found the name {render_found(name)} again, expected another: {other} has it"
            problems.append(Problem(path, message, "DuplicateName"))
            continue
        places[name] = place
        word = name.replace("-", "_")
        first = spoken.setdefault(word, place)
        if first != place:
            message = (
                f"found {render_found(name)}, which in expressions is the same as {render_found(names[first])}:"
                " rename one of them"
            )
            problems.append(Problem(path, message, "DuplicateName"))
    index = Names(places, around)
    index.places = places
    for name, place in places.items():
        if (other_name := index.spoken(name)) is not None:
            message = f"found {render_found(name)}, which hides step {other_name} around it, expected another name"
            problems.append(Problem(f"{listed}[{place}].name", message, "DuplicateName"))
    return index, problems


def _mentions(step: Step) -> Iterator[Mention]:
    for index, name in enumerate(step.wait_for):
        yield Mention(("waitFor", index), name)
    yield from mentions_of(step)


def mentions_of(step: Step) -> Iterator[Mention]:
    """Yield the steps whose results the sources and conditions of a step itself read."""
    if step.when is not None:
        for name in expression_references(step.when).results:
            yield Mention(("when",), name, in_expression=True)
    for keys, source in sources_of(step):
        for inner, name, in_expression in mentions_of_source(source):
            yield Mention((*keys, *inner) if keys != _CORRELATION else keys, name, in_expression)
    for place, case in enumerate(step.switch.cases if step.switch is not None else ()):
        for name in expression_references(case.when, arguments=True).results:
            yield Mention(("switch", "cases", place, "when"), name, in_expression=True)
    if step.map is not None:
        yield from _collected(step.map)


def mentions_of_map(step: Step) -> Iterator[Mention]:
    """Yield the steps whose results a map reads itself, before its first element and after its last one."""
    if step.when is not None:
        for name in expression_references(step.when).results:
            yield Mention(("when",), name, in_expression=True)
    if step.map is not None:
        if step.map.source is not None:
            for inner, name, in_expression in mentions_of_source(step.map.source):
                yield Mention(("map", "source", *inner), name, in_expression)
        yield from _collected(step.map)


def _collected(mapped: Map) -> Iterator[Mention]:
    if mapped.collect is not None and mapped.collect.expr is not None:
        for name in expression_references(mapped.collect.expr, beside=COLLECTED).results:
            yield Mention(("map", "collect", "expr"), name, in_expression=True)


def sources_of(step: Step) -> Iterator[tuple[tuple[str | int, ...], Source]]:
    """Yield the sources that are evaluated in the scope of the step itself, each with where it is written."""
    for argument, source in step.arguments.items():
        yield ("arguments", argument), source
    if step.transform is not None:
        yield ("transform",), step.transform
    yield from request_sources(step)
    for keys, body in bodies_of(step):
        if body.transform is not None:
            yield (*keys, "transform"), body.transform
        for name, source in (body.inputs or {}).items():
            yield (*keys, "inputs", name), source
    if step.map is not None:
        yield from sources_of_map(step.map)
    if step.interrupt is not None and (correlation := step.interrupt.correlation) is not None:
        yield _CORRELATION, correlation


def sources_of_map(mapped: Map) -> Iterator[tuple[tuple[str | int, ...], Source]]:
    """Yield the sources of the elements of a map, each with where it is written."""
    if mapped.source is not None:
        yield ("map", "source"), mapped.source
    if mapped.pages is not None:
        for argument, source in mapped.pages.arguments.items():
            yield ("map", "pages", "arguments", argument), source


def request_sources(step: Step) -> Iterator[tuple[tuple[str | int, ...], Source]]:
    """Yield the sources of the requests of a step and its bodies, each with where it is written."""
    for keys, action in actions_of(step):
        if action.http is not None:
            for inner, source in action.http.sources():
                yield (*keys, "http", *inner), source


def actions_of(step: Step) -> Iterator[tuple[tuple[str | int, ...], ActionSpec]]:
    """Yield what the tasks of a step, of its bodies and of its map do, each with where it is written."""
    for name, spec in (("run", step.run), ("compensate", step.compensate), ("undo", step.undo)):
        if spec is not None:
            yield (name,), spec
    if step.run is not None:  # which most steps have, and then nothing else
        return
    for keys, body in bodies_of(step):
        if body.run is not None:
            yield (*keys, "run"), body.run
    if step.map is not None:
        yield from map_tasks(step.map)


def map_tasks(mapped: Map) -> Iterator[tuple[tuple[str | int, ...], MapTask]]:
    """Yield the tasks of a map itself, each with where it is written."""
    if mapped.pages is not None:
        yield ("map", "pages", "run"), mapped.pages.run
    if mapped.collect is not None and mapped.collect.run is not None:
        yield ("map", "collect", "run"), mapped.collect.run


def bodies_of(step: Step) -> Iterator[tuple[tuple[str | int, ...], Body]]:
    """Yield the bodies of a step, each with where it is written."""
    if step.compose is not None:
        yield ("compose",), step.compose
    if step.map is not None:
        yield ("map",), step.map
    if step.switch is not None:
        for place, case in enumerate(step.switch.cases):
            yield ("switch", "cases", place), case
        if step.switch.default is not None:
            yield ("switch", "default"), step.switch.default


def mentions_of_source(source: Source) -> Iterator[Mention]:
    """Yield the steps whose results a source reads."""
    if source.result is not None:
        yield Mention(("result",), source.result)
    if source.expr is not None:
        for name in expression_references(source.expr, arguments=True).results:
            yield Mention(("expr",), name, in_expression=True)


def _cycles(needs: Mapping[int, tuple[int, ...]], names: Sequence[object], listed: str) -> Iterator[Problem]:
    """Yield a problem for each cycle that a walk in manifest order closes, up to `CYCLES_SHOWN`. No recursion."""
    done: set[int] = set()
    left = CYCLES_SHOWN
    for start in needs:
        if start in done:
            continue
        trail: list[int] = [start]
        on_trail = {start: 0}
        waiting = [iter(needs[start])]
        while trail:
            needed = next(waiting[-1], None)
            if needed is None:
                done.add(trail[-1])
                del on_trail[trail.pop()]
                waiting.pop()
            elif needed in on_trail:
                yield _cycle(trail[on_trail[needed] :], names, listed)
                left -= 1
                if left == 0:
                    return
            elif needed not in done and needed in needs:
                on_trail[needed] = len(trail)
                trail.append(needed)
                waiting.append(iter(needs[needed]))


def _cycle(places: Sequence[int], names: Sequence[object], listed: str) -> Problem:
    """Describe a cycle, each step followed by the one it waits for, cut in the middle where it is long."""
    shown = [str(names[place])[:_NAME_SHOWN] for place in (*places, places[0])]
    if len(shown) > CYCLE_LENGTH_SHOWN:
        shown = [*shown[: CYCLE_LENGTH_SHOWN - 2], f"… {len(shown) - CYCLE_LENGTH_SHOWN + 1} more …", shown[-1]]
    path = f"{listed}[{places[0]}]"
    return Problem(path, f"steps wait for each other: {' -> '.join(shown)}; remove one of these references", "Cycle")
