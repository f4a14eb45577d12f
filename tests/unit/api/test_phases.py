"""The page about phases is the one that the engine's table renders."""

from pathlib import Path

from reactor_operator.api.phases import render_phases

PAGE = Path(__file__).parents[3] / "docs" / "phases.md"


def test_the_page_is_rendered_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_phases(), "run `make crds`"
