"""Every example on a cluster, applied as its README says."""

import pytest

from tests.cluster.cluster import Namespace
from tests.expected_examples import EXAMPLES, EXPECTED, SERVICES


@pytest.mark.parametrize("example", sorted(EXPECTED))
def test_an_example_ends_as_its_readme_says(namespace: Namespace, runtime_image: str, example: str) -> None:
    namespace.apply_folder(EXAMPLES / example)
    if example in SERVICES:  # what is not served yet is asked again, so the runs may be there before their services
        namespace.kubectl("set", "image", "deployment/http-saga-services", f"server={runtime_image}")
    for run, expected in EXPECTED[example].items():
        expected.check(namespace.wait_finished(run))


def test_the_story_of_a_failed_order_is_told_without_logs(namespace: Namespace) -> None:
    namespace.apply_folder(EXAMPLES / "02-order-processing")
    namespace.wait_finished("order-courier-down")
    row = namespace.kubectl("get", "rctrun", "order-courier-down", "-o", "wide").splitlines()[1]
    assert "Failed" in row
    assert "Stormhaven" in row
    story = namespace.kubectl("describe", "rctrun", "order-courier-down")
    for word in ("StepFailed", "RollingBack", "Stormhaven", "Complete", "Undone", "reserve"):
        assert word in story
