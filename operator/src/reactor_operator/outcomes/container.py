"""A container that ended by itself: its exit code, its last words and its output file as one event.

In: a pod, its seal and how the container ended. Out: an event and its values; None while the output is being brought.
Never here: containers that were ended from outside (see `pod`).
"""

from collections.abc import Mapping

from reactor_operator.engine.events import Outcome
from reactor_operator.engine.failures import FailureKind
from reactor_operator.kube.fields import JsonObject
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.exits import (
    ExitMeaning,
    ResultRule,
    failed_exit,
    kept_message,
    meaning_of_exit,
    memory_words,
    outcome_of_exit,
)
from reactor_operator.tasks.manifest_reads import parse_reads
from reactor_operator.tasks.manifest_seal import Sealed
from reactor_operator.tasks.manifest_spec import OUTPUT

Told = tuple[Outcome, Mapping[str, bytes]]


def read_exit(pod: JsonObject, sealed: Sealed, ended: facts.Ended) -> Told | None:
    """Return what the container's end means, None while its helper is still uploading the output."""
    task, reads = sealed.task, parse_reads(sealed.reads)
    meaning = meaning_of_exit(ended.exit_code, reads.exit_codes, task.action)
    message = kept_message(ended.message, meaning, sensitive=reads.sensitive, hides_result=reads.hides_result)
    if meaning is ExitMeaning.FAILED and ended.out_of_memory:
        words = memory_words(ended.exit_code)
        return failed_exit(FailureKind.OUT_OF_MEMORY, words, message).event_of(task)
    if meaning is ExitMeaning.SUCCEEDED and reads.uploads:
        helper = facts.ended_container(facts.container_status(pod, OUTPUT))
        if helper is None and not facts.is_over(pod):
            return None
        if helper is None or helper.exit_code != 0:
            words = "succeeded, but its output was not uploaded"
            said = helper.message if helper is not None else ""
            return failed_exit(FailureKind.RESULT_LOST, words, said).event_of(task)
    rule = ResultRule(uploaded=reads.uploads, json_only=reads.json_only, limit=facts.message_limit(pod))
    return outcome_of_exit(ended.exit_code, message, reads.exit_codes, task.action, rule).event_of(task)
