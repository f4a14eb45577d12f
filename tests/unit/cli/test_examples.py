"""Every example on the laptop, run by the real CLI."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.expected_examples import EXAMPLES, EXPECTED


@pytest.mark.parametrize("example", sorted(EXPECTED))
def test_an_example_ends_as_its_readme_says(example: str) -> None:
    command = [str(Path(sys.executable).with_name("reactor")), "run", str(EXAMPLES / example), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    document = json.loads(done.stdout)
    runs = {run["metadata"]["name"]: run["status"] for run in document.get("items", [document])}
    assert set(runs) == set(EXPECTED[example])
    for name, expected in EXPECTED[example].items():
        expected.check(runs[name])
    ends = {expected.phase for expected in EXPECTED[example].values()}
    assert done.returncode == (1 if ends & {"Failed", "Cancelled"} else 0)
