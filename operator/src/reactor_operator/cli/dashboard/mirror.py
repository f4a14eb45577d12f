"""The runs of a laptop as lists show them: those of a state file, and those that this process drives.

In: ReactorRuns as they are now. Out: an index, and the changes of it, as a gateway's mirror has them. Never here: a run
that is read; it is handed in.
"""

from reactor_operator.kube.fields import JsonObject
from reactor_operator.mirror.feed import Feed
from reactor_operator.mirror.index import RunIndex
from reactor_operator.mirror.summary import summary_of


class LaptopMirror:
    """Implements `gateway.api.ports.Mirror`. `ready` is set once all that was there before is handed in."""

    def __init__(self) -> None:
        self.index = RunIndex()
        self.feed = Feed()
        self.namespaces: tuple[str, ...] = ()
        self.ready = False

    def put(self, run: JsonObject) -> None:
        """Take a run that is new, or what became of it."""
        summary = summary_of(run)
        if self.index.put(summary):
            self.feed.tell(summary)

    def remove(self, namespace: str, name: str) -> None:
        """Drop a run that is gone."""
        if (before := self.index.remove(namespace, name)) is not None:
            self.feed.tell(before, removed=True)
