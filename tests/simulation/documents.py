"""Documents and pages that belong to elements of maps: which of them a store has, told by all that was written to it.

In: every applied commit and recorded entry. Out: what is there in the end. Never here: what a document says.
"""

from dataclasses import dataclass, field

from reactor_operator.engine.values import ValueRef
from reactor_operator.store.port import Commit, Entry


@dataclass
class Documents:
    """By run: names of documents and of pages."""

    named: dict[str, set[str]] = field(default_factory=dict)
    pages: dict[str, set[str]] = field(default_factory=dict)

    def committed(self, commit: Commit) -> None:
        """A commit was applied: what it drops is gone, unless it is told anew with it."""
        named = self.named.setdefault(commit.run, set())
        named -= commit.dropped
        named.update(name for name in commit.values if ValueRef(name, 0).named)
        pages = self.pages.setdefault(commit.run, set())
        for name, body in commit.pages.items():
            if body is None:
                pages.discard(name)
            else:
                pages.add(name)

    def recorded(self, entry: Entry) -> None:
        """The inbox took an entry for new, with its documents."""
        self.named.setdefault(entry.run, set()).update(name for name in entry.values if ValueRef(name, 0).named)
