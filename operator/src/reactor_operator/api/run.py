"""A run as a user writes it, and what is wrong with it.

In: a `ReactorRun` as parsed JSON or YAML. Out: `CheckedRun`. Never here: whether its reactor exists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from reactor_operator.api.bodies import NameRef
from reactor_operator.api.document import TOO_DEEP, document_problems
from reactor_operator.api.envelope import check_envelope, check_model
from reactor_operator.api.model import Boolean, BusinessKey, Duration, Model, Object, Optional
from reactor_operator.api.problems import Problem


class OnDelete(StrEnum):
    """What becomes of a run that is deleted before its end."""

    ABANDON = "abandon"


class RunSpec(Model):
    """One execution of a reactor. Only suspend, ttlAfterFinished and onDelete may change later."""

    reactor_ref: NameRef = Field(description="The reactor to run, in the same namespace.")
    inputs: Object | None = Field(
        default=None, description="The inputs, as the reactor's inputsSchema says. Unset: {}."
    )
    idempotency_key: Optional[BusinessKey] = Field(
        default=None,
        description="Names the business transaction. Another run of the reactor with the same key and inputs takes the "
        "outcome of the first one and starts nothing; with other inputs it fails (KeyConflict). Kept for 30 days after "
        "the last run that has it was deleted, or as the operator is set.",
    )
    ttl_after_finished: Optional[Duration] = Field(
        default=None,
        description="The run is deleted this long after it finished. Unset: as the reactor says, else the operator.",
    )
    suspend: Optional[Boolean] = Field(
        default=None,
        description="true: nothing new starts and nothing is rolled back until it is false again, or somebody asks the "
        "run to go on. What runs, ends.",
    )
    on_delete: Optional[OnDelete] = Field(
        default=None,
        description="abandon (default): a deleted run stops where it is, its pods go with it, nothing is rolled back.",
    )


@dataclass(frozen=True, slots=True)
class CheckedRun:
    """What came of a check: the spec where nothing is wrong with it, else every problem."""

    spec: RunSpec | None
    problems: tuple[Problem, ...]


def check_run(document: Mapping[str, object]) -> CheckedRun:
    """Check a whole ReactorRun: apiVersion, kind, metadata and spec."""
    problems = check_envelope(document, kind="ReactorRun")
    if not isinstance(document, Mapping) or "spec" not in document:
        return CheckedRun(None, tuple(problems))
    spec, wrong = check_model(RunSpec, document["spec"], base="spec")
    problems += wrong
    return CheckedRun(None if problems else spec, tuple(problems))


def check_run_spec(spec: object) -> CheckedRun:
    """Check the spec of a ReactorRun alone (the API server has seen to the rest)."""
    wrong = document_problems(spec, "spec")
    if any(problem.reason == TOO_DEEP for problem in wrong):
        return CheckedRun(None, tuple(wrong))
    checked, problems = check_model(RunSpec, spec, base="spec")
    return CheckedRun(checked, tuple(problems))
