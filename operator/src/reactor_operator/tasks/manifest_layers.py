"""What pods of tasks and of pools have alike: the level `restricted` of Pod Security, a writable /tmp, mounted modules.

In: a grace period, how long a node may be away, which ConfigMap. Out: parts of a PodSpec. Never here: a container.
"""

from reactor_operator.api.reactor import Modules

MODULES = "/reactor/modules"
WORKER_COMMAND = ("python3", "-P", "-m", "reactor", "pool")
TMP = "reactor-tmp"

_USER = 65532

Manifest = dict[str, object]


def pod_defaults(grace_seconds: int, lost_seconds: int) -> Manifest:
    """Return what holds for a pod where nobody says otherwise."""
    gone = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": lost_seconds}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "tolerations": [{"key": f"node.kubernetes.io/{word}", **gone} for word in ("not-ready", "unreachable")],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def restricted() -> Manifest:
    """Return the security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def writable_tmp() -> tuple[list[Manifest], list[Manifest]]:
    """Return the volume and the mount that make /tmp writable in an image of the author's."""
    return [{"name": TMP, "emptyDir": {}}], [{"name": TMP, "mountPath": "/tmp"}]  # noqa: S108


def mounted_modules(modules: Modules) -> tuple[Manifest, Manifest]:
    """Return the volume and the mount that bring modules into a container, at `MODULES`."""
    volume: Manifest = {"name": "reactor-modules", "configMap": {"name": modules.config_map_ref.name}}
    return volume, {"name": "reactor-modules", "mountPath": MODULES, "readOnly": True}
