"""A volume below /tmp is hidden by the memory of the container in the runtime image (decision 8): it is warned of."""

from collections.abc import Mapping
from typing import Any

import pytest

from reactor_operator.api.check import check_spec
from reactor_operator.api.pool import check_pool_spec
from tests.unit.api.documents import CONTAINER, spec, step
from tests.unit.api.maps import inside, mapped


def mounts(*paths: str) -> list[dict[str, str]]:
    return [{"name": f"v{place}", "mountPath": path} for place, path in enumerate(paths)]


def pod(*paths: str, **more: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "worker", "volumeMounts": mounts(*paths), **more}]}}


POD = "pod.spec.containers[0].volumeMounts[0].mountPath"
HIDDEN = [
    (spec(step("a", volumeMounts=mounts("/data", "/tmp/files"))), "spec.steps[0].volumeMounts[1].mountPath"),
    (spec(step("a", volumeMounts=mounts("/tmp//x/"))), "spec.steps[0].volumeMounts[0].mountPath"),
    (spec(step("a", pod=pod("/tmp/files"))), f"spec.steps[0].{POD}"),
    (spec(step("a"), defaults={"volumeMounts": mounts("/tmp/files")}), "spec.defaults.volumeMounts[0].mountPath"),
    (spec(step("a"), defaults={"pod": pod("/tmp/files")}), f"spec.defaults.{POD}"),
    (
        spec(mapped("rows", inside(step("b", volumeMounts=mounts("/tmp/files"))))),
        "spec.steps[0].map.steps[0].volumeMounts[0].mountPath",
    ),
]
SEEN = [
    spec(step("a", volumeMounts=mounts("/var/tmp/files", "/tmpfiles", "/data/tmp/x"))),
    spec(step("a", volumeMounts=mounts("/tmp/files", "/tmp"))),
    spec(step("a", volumeMounts=mounts("/tmp/files"), image="own:1")),
    spec(step("a", volumeMounts=mounts("/tmp/files"), run=CONTAINER)),
    spec(step("a", pod=pod("/tmp/files", image="own:1"))),
    spec(step("a", volumeMounts=mounts("/data")), defaults={"volumeMounts": mounts("/tmp/files")}),
]


@pytest.mark.parametrize(("written", "path"), HIDDEN, ids=[path for _, path in HIDDEN])
def test_a_volume_below_tmp_is_warned_of_where_it_is_written(written: Mapping[str, Any], path: str) -> None:
    [told] = check_spec(written).warnings
    assert (told.path, told.reason) == (path, "HiddenVolume")
    assert "mount it elsewhere, such as in /var/tmp" in told.message


@pytest.mark.parametrize("written", SEEN)
def test_a_volume_that_is_seen_is_not(written: Mapping[str, Any]) -> None:
    checked = check_spec(written)
    assert (checked.problems, checked.warnings) == ((), ())


def test_so_is_one_of_a_pool_unless_its_image_is_another() -> None:
    [told] = check_pool_spec({"pod": pod("/tmp/files")}).warnings
    assert told.path == f"spec.{POD}"
    assert check_pool_spec({"pod": pod("/tmp/files"), "image": "own:1"}).warnings == ()
