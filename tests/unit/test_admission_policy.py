"""The chart's admission policy keeps what the operator alone writes: its list of fields is that of the model."""

import re
from pathlib import Path

from reactor_operator.api.status import RunStatus

POLICY = Path(__file__).parents[2] / "charts/reactor-operator/templates/admission-policy.yaml"
BY_PEOPLE = {"requests"}


def test_every_field_of_the_status_is_either_kept_or_written_by_people() -> None:
    (listed,) = re.findall(r"\$projected := list (.*?) }}", POLICY.read_text())
    kept = re.findall(r'"(\w+)"', listed)
    assert sorted(kept) == sorted({field.alias or name for name, field in RunStatus.model_fields.items()} - BY_PEOPLE)
