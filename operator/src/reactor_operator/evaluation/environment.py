"""What an expression or a source may read of a run.

In: documents from the store. Out: one frozen value that can be handed to another process.
Never here: evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Parsed JSON by name: the run's `inputs`, `results` by step name (only those the step needs), and `run` facts.

    `arguments` are those of the step, once they are known; `beside` is what its action reads beside them: the `result`
    in an undo, the `failure` in a compensate. `inputs_schema` tells expressions which numbers of the
    inputs are ints and which are doubles.
    """

    inputs: object
    results: Mapping[str, object] = field(default_factory=dict)
    run: Mapping[str, object] = field(default_factory=dict)
    inputs_schema: Mapping[str, object] | None = None
    arguments: object = None
    beside: Mapping[str, object] = field(default_factory=dict)
