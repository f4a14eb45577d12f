"""Failures of evaluations as people may read them.

In: a failure and the environment it came from. Out: the failure, with nothing sensitive in its words.
Never here: failures of tasks, whose own agents mask them.
"""

from dataclasses import replace

from reactor.masking import Masks, texts_in
from reactor_operator.engine.failures import Failure
from reactor_operator.evaluation.environment import NONE_READ, Environment


def masked(failure: Failure, environment: Environment) -> Failure:
    """Return a failure whose message repeats nothing sensitive of what was read."""
    if environment.sensitive == NONE_READ:
        return failure
    return replace(failure, message=Masks(texts_in(environment.sensitive_values())).text(failure.message))
