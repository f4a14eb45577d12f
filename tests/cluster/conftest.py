"""A namespace for each test, under the Pod Security level that step pods promise to meet."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Namespace, kubectl

SYSTEM = "reactor-system"
IMAGES = Path(__file__).parents[2] / "build" / "images.env"


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """Yield a fresh namespace and delete it, without waiting for its end."""
    name = f"t-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield Namespace(name)
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def busybox() -> str:
    """Return the image that container steps of the tests use."""
    return _image("BUSYBOX_IMAGE")


@pytest.fixture(scope="session")
def runtime_image() -> str:
    """Return the image that Python steps run in by default."""
    return _image("RUNTIME_IMAGE")


def _image(name: str) -> str:
    named = dict(line.split("=", 1) for line in IMAGES.read_text().splitlines() if "=" in line)
    return os.environ.get(name) or named[name]


@pytest.fixture
def system() -> Namespace:
    """Return the namespace of the operator."""
    return Namespace(SYSTEM)
