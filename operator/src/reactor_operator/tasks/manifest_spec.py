"""The PodSpec of a task: its container, what helps it, and the layers that a user's pod template is merged into.

In: a `TaskOrder`, the action and its effective settings. Out: a PodSpec as a JSON object.
Never here: names, labels, seals and owners (see `manifest`).

Three layers, each winning over the one before: our defaults (restricted security, resources, a grace period), what the
author wrote in `pod.spec` and in the container, and what makes a pod a task (the container `step` with its image,
command, environment and mounts, restartPolicy Never). Containers that the author adds run beside ours and have no say
in the outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.effective import Effective
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import pod_name
from reactor_operator.gateway.tokens import pool_fence, task_token
from reactor_operator.pools.pool import chunk_queue
from reactor_operator.pools.references import chunk_entries
from reactor_operator.ports import TaskOrder
from reactor_operator.tasks import manifest_env as env
from reactor_operator.tasks.manifest_layers import (
    MODULES,
    TMP,
    WORKER_COMMAND,
    Manifest,
    mounted_modules,
    pod_defaults,
    restricted,
    writable_tmp,
)
from reactor_operator.tasks.manifest_merge import key_of, merge_objects

STEP = "step"
FETCH = "reactor-arguments"
OUTPUT = "reactor-output"
GRACE_SECONDS = 10
UPLOAD_SECONDS = 120
TERMINATION_LOG = "/dev/termination-log"

_FILES = "/reactor"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """What the operator knows that no reactor says.

    gateway:     address that pods reach the gateway at.      key: signs seals and task tokens.
    lost_seconds: how long a node may be unreachable before its pods are given up.
    """

    runtime_image: str
    runtime_pull_policy: str
    gateway: str
    key: bytes = field(repr=False)
    lost_seconds: int = 300


def render_pod_spec(order: TaskOrder, settings: TaskSettings, action: ActionSpec, chosen: Effective) -> Manifest:
    """Return the PodSpec of a task. Raises Unlaunchable."""
    theirs = dict(chosen.pod.spec) if chosen.pod is not None and chosen.pod.spec is not None else {}
    has_upload = action.container is not None and _output_path(action) is not None
    defaults = pod_defaults(UPLOAD_SECONDS if has_upload else GRACE_SECONDS, settings.lost_seconds)
    beside: list[Manifest] = []
    if action.container is not None:
        main, volumes, beside = _container(order, settings, action, chosen)
    else:
        main, volumes = _agent(order, settings, action, chosen)
    ours: Manifest = {"restartPolicy": "Never", "containers": [main]}
    if volumes:
        ours["volumes"] = volumes
    if beside:
        ours["initContainers"] = beside
    container_layer = {
        "containers": [{"name": STEP, **_container_defaults(has_resources=chosen.resources is not None)}]
    }
    return merge_objects(merge_objects(merge_objects(defaults, container_layer), theirs), ours)


def _container_defaults(*, has_resources: bool) -> Manifest:
    """Return what holds where nobody says otherwise; resources are the author's as a whole, or ours as a whole."""
    resources = {"requests": {"cpu": "25m", "memory": "48Mi"}, "limits": {"memory": "512Mi"}}
    return {"securityContext": restricted()} | ({} if has_resources else {"resources": resources})


def _common(
    order: TaskOrder, action: ActionSpec, chosen: Effective, variables: Mapping[str, str], mounts: list[Manifest]
) -> Manifest:
    """Return what containers of both forms have: environment, mounts, and the resources the author chose."""
    written = chosen.env
    if order.chunk:  # what passes an argument is another text for each task: its worker is told
        references = chunk_entries(order.step, action, written)
        written = tuple(one for one in written if one.argument is None)
    else:
        references = env.reference_entries(order.step, action)
    ours = env.literal_entries(variables) + references
    taken = {entry["name"] for entry in ours}
    theirs = [entry for entry in env.author_entries(order, written) if entry["name"] not in taken]
    container: Manifest = {"name": STEP, "env": ours + theirs}
    if mounts or chosen.volume_mounts:
        container["volumeMounts"] = _one_per_path([*mounts, *chosen.volume_mounts])
    if chosen.env_from:
        container["envFrom"] = list(chosen.env_from)
    if chosen.resources is not None:
        container["resources"] = dict(chosen.resources)
    return container


def _one_per_path(mounts: object) -> list[object]:
    """Keep the last mount of each path: what the author mounts at /tmp replaces ours."""
    if not isinstance(mounts, list):
        return []
    last = {path: mount for mount in mounts if (path := key_of(mount, "mountPath")) is not None}
    return [*last.values(), *(mount for mount in mounts if key_of(mount, "mountPath") is None)]


def _agent(
    order: TaskOrder, settings: TaskSettings, action: ActionSpec, chosen: Effective
) -> tuple[Manifest, list[Manifest]]:
    """Return the container in which the runtime calls Python or makes a request."""
    if order.chunk:
        variables = _worker_variables(order, settings)
    else:
        variables = env.facts_of(order) | _address(order, settings) | env.agent_variables(order, action)
    # In our own image /tmp is memory: a volume of any kind costs a pod 0.3 s, for kubelet asks three times a second
    # whether all are mounted.
    volumes, mounts = writable_tmp() if chosen.image is not None else ([], [])
    if chosen.modules is not None:
        variables["REACTOR_MODULES"] = MODULES
        volume, mount = mounted_modules(chosen.modules)
        volumes.append(volume)
        mounts.append(mount)
    container = _common(order, action, chosen, variables, mounts) | {
        "image": chosen.image or settings.runtime_image,
        "command": list(WORKER_COMMAND) if order.chunk else ["python3", "-m", "reactor"],
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
    }
    if chosen.image is None:
        container["imagePullPolicy"] = settings.runtime_pull_policy
    return container, volumes


def _worker_variables(order: TaskOrder, settings: TaskSettings) -> dict[str, str]:
    """Return what makes a pod the worker of one chunk, which waits in a queue of its own."""
    run = order.run
    queue = chunk_queue(run.namespace, pod_name(run.name, run.uid, order.task))
    return {
        "REACTOR_GATEWAY": settings.gateway,
        "REACTOR_POOL": queue,
        "REACTOR_POOL_TOKEN": task_token(settings.key, pool_fence(queue)),
        "REACTOR_POOL_CONCURRENCY": "1",
        "REACTOR_POOL_ONCE": "1",
    }


def _container(
    order: TaskOrder,
    settings: TaskSettings,
    action: ActionSpec,
    chosen: Effective,
) -> tuple[Manifest, list[Manifest], list[Manifest]]:
    written, path = action.container, _output_path(action)
    assert written is not None
    variables = (
        env.facts_of(order)
        | _address(order, settings)
        | env.inline_documents(order)
        | {"REACTOR_RESULT_PATH": path or TERMINATION_LOG}
    )
    volumes, mounts = writable_tmp()
    beside: list[Manifest] = []
    large = env.large_documents(order)
    if large:
        # what is sensitive stays off the disk of the node
        kept_in = {"medium": "Memory"} if order.sensitive else {}
        volumes.append({"name": "reactor-files", "emptyDir": kept_in})
        mounts.append({"name": "reactor-files", "mountPath": _FILES, "readOnly": True})
        beside.append(_helper(order, settings, FETCH, ["fetch", *large], [{**mounts[-1], "readOnly": False}]))
    if path is not None:
        shared, own_volume = _output_mount(order, path, chosen.volume_mounts)
        if own_volume:
            volumes.append({"name": str(shared["name"]), "emptyDir": {}})
            mounts.append(shared)
        beside.append(_helper(order, settings, OUTPUT, ["output", path], [shared]) | {"restartPolicy": "Always"})
    container = _common(order, action, chosen, variables, mounts) | {
        "image": written.image,
        "terminationMessagePath": TERMINATION_LOG,
        # kubelet would copy the last lines of the log into the pod's status
        "terminationMessagePolicy": "File" if order.sensitive else "FallbackToLogsOnError",
    }
    optional = {
        "imagePullPolicy": written.image_pull_policy.value if written.image_pull_policy is not None else None,
        "command": list(written.command) or None,
        "args": list(written.args) or None,
        "workingDir": written.working_dir,
    }
    container |= {name: value for name, value in optional.items() if value is not None}
    if written.security_context is not None:
        container["securityContext"] = merge_objects(restricted(), written.security_context)
    return container, volumes, beside


def _output_path(action: ActionSpec) -> str | None:
    container = action.container
    return container.output.path if container is not None and container.output is not None else None


def _output_mount(order: TaskOrder, path: str, author_mounts: Sequence[Mapping[str, object]]) -> tuple[Manifest, bool]:
    """Return the mount through which both containers see the output file, and whether its volume is ours to make."""
    folder = PurePosixPath(path).parent
    parents = {str(folder), *(str(parent) for parent in folder.parents)}
    theirs = [mount for mount in author_mounts if str(mount.get("mountPath", "")).rstrip("/") in parents - {"/"}]
    if theirs:
        return dict(max(theirs, key=lambda mount: len(str(mount["mountPath"])))), False
    if "/tmp" in parents:  # noqa: S108
        return {"name": TMP, "mountPath": "/tmp"}, False  # noqa: S108
    if str(folder) == "/":
        raise env.Unlaunchable(
            FailureKind.CANNOT_START,
            f"step {order.task.path!r}: output.path is {path!r}, expected a file in a folder other than /, such as "
            "/output/result.json (an empty volume is mounted over the folder)",
        )
    return {"name": "reactor-output", "mountPath": str(folder)}, True


def _helper(
    order: TaskOrder, settings: TaskSettings, name: str, arguments: list[str], mounts: list[Manifest]
) -> Manifest:
    """Return a container of the runtime image that works for the step's container."""
    return {
        "name": name,
        "image": settings.runtime_image,
        "imagePullPolicy": settings.runtime_pull_policy,
        "command": ["python3", "-m", "reactor", *(argument.replace("$", "$$") for argument in arguments)],
        "env": env.literal_entries(env.facts_of(order) | _address(order, settings)),
        "volumeMounts": mounts,
        "securityContext": restricted(),
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _address(order: TaskOrder, settings: TaskSettings) -> dict[str, str]:
    return {
        "REACTOR_GATEWAY": settings.gateway,
        "REACTOR_TOKEN": task_token(settings.key, env.fence_of(order)),
        "REACTOR_TERMINATION_LOG": TERMINATION_LOG,
    }
