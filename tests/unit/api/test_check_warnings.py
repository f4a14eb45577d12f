"""What is allowed in a reactor, and deserves a second look."""

from reactor_operator.api.check import check_spec
from tests.unit.api.documents import PYTHON, check, found, spec, step


def test_undo_without_compensate_is_a_warning() -> None:
    checked = check(step("a", undo=PYTHON))
    assert checked.spec is not None
    assert found(checked.warnings) == {("spec.steps[0]", "NoCompensate")}


def test_nulls_that_kubectl_apply_drops_are_warnings() -> None:
    arguments = {"x": {"value": None}, "y": {"input": "a", "default": None}}
    assert found(check(step("a", arguments=arguments)).warnings) == {
        ("spec.steps[0].arguments.x.value", "NullDropped"),
        ("spec.steps[0].arguments.y.default", "NullDropped"),
    }


def test_listing_a_kind_that_is_never_retried_is_a_warning() -> None:
    warned = check(step("a", retryOn=["Lost"], compensate={**PYTHON, "retryOn": ["Error", "Fatal"]})).warnings
    assert found(warned) == {
        ("spec.steps[0].retryOn[0]", "NeverRetried"),
        ("spec.steps[0].compensate.retryOn[1]", "NeverRetried"),
    }


def test_an_answer_to_a_limit_that_there_is_not_deserves_a_second_look() -> None:
    assert [(one.path, one.reason) for one in check_spec(spec(step("a"), onLimit="Reject")).warnings] == [
        ("spec.onLimit", "NoLimit")
    ]
    assert not check_spec(spec(step("a"), onLimit="Reject", maxActiveRuns=2)).warnings
    assert not check_spec(spec(step("a"))).warnings
