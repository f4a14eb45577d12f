"""Series are named as Prometheus names them, and no label has an end that nobody knows."""

import pytest

from tests.unit.metering.series import Series, every_series

BOUNDED = {"action", "answer", "code", "kind", "method", "operation", "outcome", "phase", "reason", "resource"}
BOUNDED |= {"result", "stage", "verb"}
CAPPED = {("namespace", "reactor")}
OF_OBJECTS = {("namespace", "pool")}


@pytest.mark.parametrize("series", every_series().values(), ids=every_series())
def test_a_name_says_what_is_counted_and_ends_in_its_unit(series: Series) -> None:
    assert series.name.startswith("reactor_")
    assert (series.type == "counter") == series.name.endswith("_total")
    assert series.type != "histogram" or series.name.endswith("_seconds")
    assert series.words.endswith(".")


@pytest.mark.parametrize("series", every_series().values(), ids=every_series())
def test_labels_are_words_of_ours_a_capped_reactor_or_an_object(series: Series) -> None:
    others = tuple(label for label in series.labels if label not in BOUNDED)
    assert others == () or others in CAPPED | OF_OBJECTS


def test_series_of_runs_are_by_reactor() -> None:
    of_runs = {"runs_started_total", "run_seconds", "step_seconds", "reversals_total", "signals_total", "runs"}
    assert all(every_series()[f"reactor_{name}"].labels[:2] == ("namespace", "reactor") for name in of_runs)
