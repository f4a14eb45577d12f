"""The seal of a manifest: pods of ours are known for their tasks, and no others are."""

from typing import Any

import pytest

from reactor_operator.engine.identity import Action, Task
from reactor_operator.ports import RunRef
from reactor_operator.tasks.manifest_seal import is_owned_by, open_seal
from tests.unit.tasks.orders import BUSYBOX, KEY, UID, pod


class TestSeal:
    def test_our_pod_is_known_for_its_task(self) -> None:
        sealed = open_seal(KEY, pod())
        assert sealed is not None
        assert sealed.run == RunRef("shop", "order-1", UID)
        assert sealed.task == Task("work", Action.RUN, 1, 1, 1)
        assert is_owned_by(pod(), sealed.run)

    def test_the_pods_of_a_job_are_known_by_their_job(self) -> None:
        job = pod({"placement": "job", "run": {"container": BUSYBOX}})
        made = job["spec"]["template"]
        made["metadata"] |= {
            "name": job["metadata"]["name"] + "-x7k2p",
            "namespace": "shop",
            "ownerReferences": [{"kind": "Job", "name": job["metadata"]["name"], "uid": "u", "controller": True}],
        }
        assert open_seal(KEY, made) == open_seal(KEY, job)

    @pytest.mark.parametrize("annotation", ["run", "task", "reads", "manifest", "seal"])
    def test_no_annotation_can_be_changed(self, annotation: str) -> None:
        manifest = pod()
        manifest["metadata"]["annotations"][f"reactor.run/{annotation}"] += "x"
        assert open_seal(KEY, manifest) is None

    def test_a_copy_under_another_name_or_elsewhere_is_not_ours(self) -> None:
        for field in ("name", "namespace"):
            manifest = pod()
            manifest["metadata"][field] += "x"
            assert open_seal(KEY, manifest) is None

    def test_another_installation_does_not_know_it(self) -> None:
        assert open_seal(b"another key, long enough", pod()) is None

    @pytest.mark.parametrize(
        "odd", [{}, {"metadata": None}, {"metadata": {"annotations": {"reactor.run/task": "\ud800/x"}}}]
    )
    def test_odd_objects_are_not_ours(self, odd: dict[str, Any]) -> None:
        assert open_seal(KEY, odd) is None
