"""What an expression or a source may read of a run.

In: documents from the store. Out: one frozen value that can be handed to another process.
Never here: evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor_operator.api.expressions import ELEMENT, INDEX
from reactor_operator.api.paths import Keys
from reactor_operator.api.sensitivity import parts_of

RESULTS_KEY = "reactor.run/results"
"""The only key of the document that stands for the results of a map."""
SEAL = "seal"
"""What proves, in there, that the document was made by the operator."""


@dataclass(frozen=True, slots=True)
class Element:
    """What a map is at: a value, and its place, from 0.

    `keys` lead to it from the inputs, where it is one of them: it has the numbers that their schema names.
    """

    value: object
    index: int
    keys: Keys | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSensitive:
    """The names of inputs, results, arguments and maps (whose elements are) that are sensitive, and whether what stands
    beside them is."""

    inputs: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    elements: frozenset[str] = frozenset()
    beside: bool = False


NONE_READ = ReadSensitive()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Parsed JSON by name: the run's `inputs`, `results` by step name (only those the step needs), and `run` facts.

    `arguments` are those of the step, once they are known; `beside` is what its action reads beside them: the `result`
    in an undo, the `failure` in a compensate. `elements` are what the maps around are at, by the name of the map, the
    innermost last. `inputs_schema` tells expressions which numbers of the inputs are ints and which are doubles.
    `sensitive` tells what of it must not be shown.
    """

    inputs: object
    results: Mapping[str, object] = field(default_factory=dict)
    run: Mapping[str, object] = field(default_factory=dict)
    inputs_schema: Mapping[str, object] | None = None
    arguments: object = None
    beside: Mapping[str, object] = field(default_factory=dict)
    elements: Mapping[str, Element] = field(default_factory=dict)
    sensitive: ReadSensitive = NONE_READ

    @property
    def told(self) -> Mapping[str, object]:
        """The results as expressions and paths read them: of a map it is how many there were, and how they ended."""
        return {name: _told(value) for name, value in self.results.items()}

    @property
    def innermost(self) -> str | None:
        """The name of the map whose element expressions call `element`."""
        return list(self.elements)[-1] if self.elements else None

    @property
    def spoken(self) -> Mapping[str, object]:
        """What expressions read by a name of its own: what stands beside, and the innermost element."""
        if self.innermost is None:
            return self.beside
        at = self.elements[self.innermost]
        return {**self.beside, ELEMENT: at.value, INDEX: at.index}

    def sensitive_values(self) -> list[object]:
        """Return what is sensitive of all this."""
        told = self.sensitive
        return [
            *parts_of(self.inputs, told.inputs),
            *parts_of(self.results, told.results),
            *parts_of(self.arguments, told.arguments),
            *(at.value for name, at in self.elements.items() if name in told.elements),
            *(self.beside.values() if told.beside else ()),
        ]


def _told(value: object) -> object:
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get(RESULTS_KEY), dict):
        return {name: told for name, told in value[RESULTS_KEY].items() if name != SEAL}
    return value
