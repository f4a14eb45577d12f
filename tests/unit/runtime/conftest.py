from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.runtime.peer import Peer, serving
from tests.unit.runtime.pod import Pod


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving(Peer()) as found:
        yield found


@pytest.fixture
def pod(peer: Peer, tmp_path: Path) -> Pod:
    return Pod(tmp_path, peer)
