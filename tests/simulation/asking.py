"""One operator's way to the processes that evaluate expressions: it stops before each question.

In: questions of the evaluator's port. Out: the answers of the real evaluator, waited for before anything else moves.
"""

from collections.abc import Mapping, Sequence

from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine.failures import Failure
from reactor_operator.evaluation.environment import Environment
from reactor_operator.ports import Evaluated, Evaluator
from tests.simulation.checkpoints import Checkpoints
from tests.simulation.coverage import Place


class Asking:
    """Implements `ports.Evaluator` for the operator `owner`."""

    def __init__(self, owner: str, evaluator: Evaluator, checkpoints: Checkpoints) -> None:
        self._owner = owner
        self._evaluator = evaluator
        self._checkpoints = checkpoints

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        await self._checkpoints.reach(self._owner, Place.EVALUATE)
        with self._checkpoints.waiting():
            return await self._evaluator.evaluate_step(step, environment)

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        await self._checkpoints.reach(self._owner, Place.EVALUATE)
        with self._checkpoints.waiting():
            return await self._evaluator.evaluate_sources(sources, environment, subject)

    async def choose(self, conditions: Sequence[str], environment: Environment, subject: str) -> int | Failure | None:
        await self._checkpoints.reach(self._owner, Place.EVALUATE)
        with self._checkpoints.waiting():
            return await self._evaluator.choose(conditions, environment, subject)
