"""An observer that is really installed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to install into, and the file of the observer that writes."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "site").mkdir()
    monkeypatch.setenv("OBSERVED", str(tmp_path / "observed"))
    yield tmp_path / "observed"
    sys.modules.pop("shop_watch", None)
