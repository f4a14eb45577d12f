from reactor_operator.api.effective import effective, reference_variable, referenced_arguments
from reactor_operator.api.reactor import Placement, PodRetention
from reactor_operator.engine.identity import Action
from tests.unit.api.documents import PYTHON, sound, step

DEFAULTS = {
    "image": "shop:1",
    "placement": "job",
    "env": [{"name": "A", "value": "defaults"}],
    "resources": {"limits": {"cpu": "1"}},
    "podRetention": "none",
    "pod": {"spec": {"nodeSelector": {"a": "b"}}},
    "modules": {"configMapRef": {"name": "m"}},
}


def test_nothing_said_means_a_pod_of_the_runtime_image_that_is_kept_if_it_fails() -> None:
    spec = sound(step("a"))
    settings = effective(spec, spec.step("a"))
    assert settings.image is None
    assert settings.placement is Placement.POD
    assert settings.pod_retention is PodRetention.FAILED
    assert (settings.env, settings.env_from, settings.volume_mounts, settings.resources) == ((), (), (), None)


def test_defaults_hold_where_a_step_says_nothing() -> None:
    spec = sound(step("a"), defaults=DEFAULTS)
    settings = effective(spec, spec.step("a"))
    assert settings.image == "shop:1"
    assert settings.placement is Placement.JOB
    assert settings.pod_retention is PodRetention.NONE
    assert settings.modules is not None
    assert [variable.value for variable in settings.env] == ["defaults"]


def test_what_a_step_says_replaces_the_whole_object() -> None:
    own = step(
        "a", env=[], resources={"requests": {"cpu": "2"}}, pod={"metadata": {"labels": {"x": "y"}}}, placement="pod"
    )
    spec = sound(own, defaults=DEFAULTS)
    settings = effective(spec, spec.step("a"))
    assert settings.env == ()
    assert settings.resources == {"requests": {"cpu": "2"}}
    assert settings.pod is not None
    assert settings.pod.spec is None
    assert settings.placement is Placement.POD


def test_a_container_says_most_about_itself_and_always_its_image() -> None:
    own = step(
        "a",
        env=[{"name": "A", "value": "step"}],
        undo={"container": {"image": "refund:2", "env": [{"name": "A", "value": "container"}]}},
        compensate={"container": {"image": "clean:3"}},
    )
    spec = sound(own, defaults=DEFAULTS)
    found = spec.step("a")
    undo = effective(spec, found, found.action(Action.UNDO))
    compensate = effective(spec, found, found.action(Action.COMPENSATE))
    run = effective(spec, found, found.action(Action.RUN))
    assert (undo.image, [variable.value for variable in undo.env]) == ("refund:2", ["container"])
    assert (compensate.image, [variable.value for variable in compensate.env]) == ("clean:3", ["step"])
    assert (run.image, [variable.value for variable in run.env]) == ("shop:1", ["step"])


def test_secrets_and_config_maps_reach_the_task_by_reference() -> None:
    arguments = {
        "token": {"secretKeyRef": {"name": "s", "key": "k"}},
        "mode": {"configMapKeyRef": {"name": "c", "key": "k"}},
        "order": {"input": "order"},
    }
    spec = sound(step("a", arguments=arguments, run=PYTHON))
    assert list(referenced_arguments(spec.step("a"))) == ["token", "mode"]
    assert reference_variable("token") == "REACTOR_SECRET_TOKEN"
