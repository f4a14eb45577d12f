"""Same arguments, same bytes out, whatever PYTHONHASHSEED: random runs are folded in two interpreters and compared."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[3]
WORLDS = 60


def digest_under(hash_seed: str) -> str:
    """Fold the same random runs in an interpreter of its own; return a digest of every state and order they made."""
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "operator/src", "runtime/src"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.engine.fold_worlds", str(WORLDS)],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout


def test_states_orders_and_wake_times_are_the_same_bytes_under_every_hash_seed() -> None:
    first, *others = [digest_under(seed) for seed in ("0", "1", "4242")]
    assert len(first.split()) == WORLDS
    assert others == [first, first]
