"""What an expression or a source may read of a run.

In: documents from the store. Out: one frozen value that can be handed to another process.
Never here: evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor_operator.api.sensitivity import parts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSensitive:
    """The names of inputs, results and arguments that are sensitive, and whether what stands beside them is."""

    inputs: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()
    beside: bool = False


NONE_READ = ReadSensitive()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Parsed JSON by name: the run's `inputs`, `results` by step name (only those the step needs), and `run` facts.

    `arguments` are those of the step, once they are known; `beside` is what its action reads beside them: the `result`
    in an undo, the `failure` in a compensate. `inputs_schema` tells expressions which numbers of the
    inputs are ints and which are doubles. `sensitive` tells what of it must not be shown.
    """

    inputs: object
    results: Mapping[str, object] = field(default_factory=dict)
    run: Mapping[str, object] = field(default_factory=dict)
    inputs_schema: Mapping[str, object] | None = None
    arguments: object = None
    beside: Mapping[str, object] = field(default_factory=dict)
    sensitive: ReadSensitive = NONE_READ

    def sensitive_values(self) -> list[object]:
        """Return what is sensitive of all this."""
        told = self.sensitive
        return [
            *parts_of(self.inputs, told.inputs),
            *parts_of(self.results, told.results),
            *parts_of(self.arguments, told.arguments),
            *(self.beside.values() if told.beside else ()),
        ]
