"""What stands for the results of a map proves that it is no input or result of a task that looks like it."""

from collections.abc import Mapping

from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.encryption import Keyring
from reactor_operator.engine.failures import Failure
from reactor_operator.evaluation.environment import RESULTS_KEY, Environment
from reactor_operator.ports import Evaluated, ReactorObject
from tests.unit.reconciling.conftest import REF, RUN, World

STEPS = [
    {"name": "rows", "map": {"source": {"value": [7]}, "run": RUN}},
    {"name": "report", "run": RUN, "arguments": {"rows": {"result": "rows"}}},
]
COUNTS = {"step": "rows", "round": 1, "total": 1, "succeeded": 1, "failed": 0, "skipped": 0}


class Reported(World):
    """A map of one element, and a step that is given its results. `told` is what expressions of that step read."""

    def __init__(self, keys: Keyring) -> None:
        super().__init__(keyring=keys)
        self.given: Mapping[str, object] = {}
        self.told: Mapping[str, object] = {}

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec={"steps": STEPS})

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return {name: source.value for name, source in sources.items()}

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        if step.name == "report":
            self.given, self.told = environment.results, environment.told
        return await super().evaluate_step(step, environment)


async def reported(keys: Keyring) -> Reported:
    world = Reported(keys)
    await world.reconcile()
    await world.succeed("rows[0]")
    await world.reconcile()
    return world


async def test_the_results_that_a_step_is_given_are_sealed_for_their_run() -> None:
    keys = Keyring(sealing=b"k" * 32)
    given = (await reported(keys)).given["rows"]
    assert isinstance(given, dict)
    told = dict(given[RESULTS_KEY])
    assert keys.is_sealed(told.pop("seal"), REF.uid, "rows", "1")
    assert told == COUNTS


async def test_expressions_read_the_counts_and_no_seal() -> None:
    assert (await reported(Keyring(sealing=b"k" * 32))).told == {"rows": COUNTS}


async def test_without_a_key_there_is_no_seal() -> None:
    assert (await reported(Keyring())).given == {"rows": {RESULTS_KEY: COUNTS}}
