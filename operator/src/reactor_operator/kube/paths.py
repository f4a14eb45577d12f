"""Addresses of resources on the API server.

In: kinds and names. Out: URL paths, percent-encoded. Never here: a request.
"""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of namespaced object: where it lives and what it is called."""

    group: str
    version: str
    name: str
    plural: str

    @property
    def api_version(self) -> str:
        """What manifests write as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def collection(self, namespace: str | None) -> str:
        """Return the path of all objects of the kind in a namespace, or (None) in all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return (
            f"{root}/{self.plural}" if namespace is None else f"{root}/namespaces/{quote(namespace, '')}/{self.plural}"
        )

    def object(self, namespace: str, name: str, subresource: str = "") -> str:
        """Return the path of one object, or of its subresource (`status`)."""
        path = f"{self.collection(namespace)}/{quote(name, '')}"
        return f"{path}/{subresource}" if subresource else path


POD = Kind("", "v1", "Pod", "pods")
SERVICE = Kind("", "v1", "Service", "services")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
NODE = Kind("", "v1", "Node", "nodes")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
JOB = Kind("batch", "v1", "Job", "jobs")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
EVENT = Kind("", "v1", "Event", "events")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
REACTOR = Kind("reactor.run", "v1alpha1", "Reactor", "reactors")
REACTOR_RUN = Kind("reactor.run", "v1alpha1", "ReactorRun", "reactorruns")
REACTOR_POOL = Kind("reactor.run", "v1alpha1", "ReactorPool", "reactorpools")
REACTOR_SIGNAL = Kind("reactor.run", "v1alpha1", "ReactorSignal", "reactorsignals")


def resource_of(path: str) -> str:
    """Return what a path is about, without names: `pods`, `reactorruns/status`."""
    parts = path.partition("?")[0].split("/")
    inside = (
        parts[parts.index("namespaces") + 2 :] if "namespaces" in parts[:-1] else parts[3 if parts[1] == "api" else 4 :]
    )
    return "/".join(inside[:1] + inside[2:3])


def cluster_object(kind: Kind, name: str) -> str:
    """Return the path of an object that is in no namespace (a Node)."""
    return f"{kind.collection(None)}/{quote(name, '')}"
