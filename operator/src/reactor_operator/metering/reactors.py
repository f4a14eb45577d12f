"""Which reactors have series of their own: as many as fit below the cap, in the order in which they were seen.

In: runs. Out: the labels `namespace` and `reactor`. Never here: the name of a run, a step or an element, of which there
is no end.
"""

from reactor_operator.reconciling.records import KnownRun

MOST = 200
"""Reactors with series of their own. With all phases and buckets one reactor has some two hundred series."""
OTHER = "other"
Labels = tuple[str, str]


class ReactorLabels:
    """Gives labels, and the same ones to the same reactor, as long as the process lives."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._own: set[Labels] = set()

    def of(self, known: KnownRun) -> Labels:
        """Return the labels of the reactor of a run.

        A run whose reactor is not there, or not sound, takes none of the places: anybody may write any name into it.
        """
        labels = (known.definition.run.namespace, known.definition.reactor_name)
        if labels in self._own:
            return labels
        if known.blueprint is None or len(self._own) >= self._most:
            return OTHER, OTHER
        self._own.add(labels)
        return labels
