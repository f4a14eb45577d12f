"""What waits for what: the edges between steps, told from `waitFor`, from sources and from expressions.

In: the steps of a reactor. Out: `Graph`: for each step the places it needs, and every problem of names, references and
cycles. Never here: policies. Linear in the number of steps and edges.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reactor_operator.api.expressions import expression_references
from reactor_operator.api.problems import Problem, nearest, path_to, render_found
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source

CYCLES_SHOWN = 100
CYCLE_LENGTH_SHOWN = 20
COMPARISONS = 20_000
"""How many names are compared, over all unknown ones, to find the one that was meant."""
_RETURNS = "spec.returns"
_NAME_SHOWN = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """`needs` by place in the manifest (places that are sound, in order of mention), and what is wrong."""

    needs: Mapping[int, tuple[int, ...]]
    problems: tuple[Problem, ...]


class _Mention(NamedTuple):
    """A step named at `keys` of a step or source. `in_expression`: there `book_courier` may mean `book-courier`."""

    keys: tuple[str | int, ...]
    name: str
    in_expression: bool = False


def graph_of(names: Sequence[object], steps: Mapping[int, Step], returns: Source | None) -> Graph:
    """Return the graph of `steps` (by place); `names` holds the names of all, also of steps that are not sound."""
    places, problems = _places(names)
    index = _Index(places)
    needs: dict[int, tuple[int, ...]] = {}
    for place, step in steps.items():
        found: dict[int, None] = {}
        for mention in _mentions(step):
            needed = index.resolve(mention)
            if needed is None:
                problems.append(index.unknown(mention, _path_of(place)))
            elif needed == place:
                message = f"step {step.name} refers to itself, expected another step"
                problems.append(Problem(path_to(_path_of(place), mention.keys), message, "SelfReference"))
            else:
                found[needed] = None
        needs[place] = tuple(found)
    if returns is not None:
        mentions = _source_mentions(returns)
        problems += [index.unknown(mention, _RETURNS) for mention in mentions if index.resolve(mention) is None]
    problems += _cycles(needs, names)
    return Graph(needs=needs, problems=tuple(problems))


def reads_of_returns(names: Sequence[str], returns: Source | None) -> tuple[str, ...]:
    """Return the steps whose results the result of a run is made of; without `returns`, the one written last."""
    if returns is None:
        return (names[-1],)
    index = _Index({name: place for place, name in enumerate(names)})
    places = (index.resolve(mention) for mention in _source_mentions(returns))
    return tuple(dict.fromkeys(names[place] for place in places if place is not None))


class _Index:
    """Steps by name, and in expressions by the word that stands for the name. Gives hints while they cost at most
    `COMPARISONS`: each compares with all names, and a long list of unknown ones has a common cause.
    """

    def __init__(self, places: Mapping[str, int]) -> None:
        self._places = places
        self._words = {name.replace("-", "_"): place for name, place in places.items()}
        self._comparisons = COMPARISONS

    def resolve(self, mention: _Mention) -> int | None:
        place = self._places.get(mention.name)
        return self._words.get(mention.name) if place is None and mention.in_expression else place

    def unknown(self, mention: _Mention, base: str) -> Problem:
        self._comparisons -= len(self._places)
        near = nearest(mention.name, self._places) if self._comparisons >= 0 else None
        hint = f"did you mean {near}?" if near is not None else "expected the name of a step of this reactor"
        return Problem(path_to(base, mention.keys), f"unknown step {mention.name}: {hint}", "UnknownReference")


def _path_of(place: int) -> str:
    return f"spec.steps[{place}]"


def _places(names: Sequence[object]) -> tuple[dict[str, int], list[Problem]]:
    """Return places by name, and the problems of names that say the same, as they stand or in an expression."""
    places: dict[str, int] = {}
    spoken: dict[str, int] = {}
    problems = []
    for place, name in enumerate(names):
        if not isinstance(name, str):
            continue
        path = f"spec.steps[{place}].name"
        if name in places:
            message = f"found the name {render_found(name)} again, expected another: spec.steps[{places[name]}] has it"
            problems.append(Problem(path, message, "DuplicateName"))
            continue
        places[name] = place
        word = name.replace("-", "_")
        other = spoken.setdefault(word, place)
        if other != place:
            message = (
                f"found {render_found(name)}, which in expressions is the same as {render_found(names[other])}:"
                " rename one of them"
            )
            problems.append(Problem(path, message, "DuplicateName"))
    return places, problems


def _mentions(step: Step) -> Iterator[_Mention]:
    for index, name in enumerate(step.wait_for):
        yield _Mention(("waitFor", index), name)
    if step.when is not None:
        for name in expression_references(step.when).results:
            yield _Mention(("when",), name, in_expression=True)
    for argument, source in step.arguments.items():
        for keys, name, in_expression in _source_mentions(source):
            yield _Mention(("arguments", argument, *keys), name, in_expression)


def _source_mentions(source: Source) -> Iterator[_Mention]:
    if source.result is not None:
        yield _Mention(("result",), source.result)
    if source.expr is not None:
        for name in expression_references(source.expr).results:
            yield _Mention(("expr",), name, in_expression=True)


def _cycles(needs: Mapping[int, tuple[int, ...]], names: Sequence[object]) -> Iterator[Problem]:
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
                yield _cycle(trail[on_trail[needed] :], names)
                left -= 1
                if left == 0:
                    return
            elif needed not in done and needed in needs:
                on_trail[needed] = len(trail)
                trail.append(needed)
                waiting.append(iter(needs[needed]))


def _cycle(places: Sequence[int], names: Sequence[object]) -> Problem:
    """Describe a cycle, each step followed by the one it waits for, cut in the middle where it is long."""
    shown = [str(names[place])[:_NAME_SHOWN] for place in (*places, places[0])]
    if len(shown) > CYCLE_LENGTH_SHOWN:
        shown = [*shown[: CYCLE_LENGTH_SHOWN - 2], f"… {len(shown) - CYCLE_LENGTH_SHOWN + 1} more …", shown[-1]]
    path = f"spec.steps[{places[0]}]"
    return Problem(path, f"steps wait for each other: {' -> '.join(shown)}; remove one of these references", "Cycle")
