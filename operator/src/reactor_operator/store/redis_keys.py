"""The names under which an installation keeps things in Redis (docs/decisions/0002-redis-layout.md).

In: an installation, a run, a pool. Out: keys. Never here: a key that neither `forget` nor the list in 0002 knows.
"""

from dataclasses import dataclass

PARTS_OF_A_RUN = ("header", "records", "inbox", "outbox", "tasks", "values", "pages", "correlations", "history")


def stored_name(name: str) -> bytes:
    """Return a correlation id in bytes: any text, also what is not valid Unicode."""
    return name.encode(errors="surrogatepass")


@dataclass(frozen=True, slots=True)
class Keys:
    """The names under which one installation keeps things. All keys of a run share its hash tag."""

    prefix: str

    @property
    def epoch(self) -> str:
        """Below which no commit is taken."""
        return f"{self.prefix}epoch"

    @property
    def active(self) -> str:
        """The runs that have something to do."""
        return f"{self.prefix}active"

    @property
    def incarnation(self) -> str:
        """A random id."""
        return f"{self.prefix}incarnation"

    @property
    def settled(self) -> str:
        """What is written so that the writes before it are on disk."""
        return f"{self.prefix}settled"

    @property
    def bell(self) -> str:
        """The channel that tells of entries."""
        return f"{self.prefix}bell"

    @property
    def leases(self) -> str:
        """What workers have, by when it runs out."""
        return f"{self.prefix}leases"

    @property
    def depths(self) -> str:
        """How much waits in each pool."""
        return f"{self.prefix}depths"

    def pool(self, name: str) -> str:
        """The runs that have something queued for a pool."""
        return f"{self.prefix}pool:{name}"

    def claim(self, name: str) -> str:
        """A name that a run holds."""
        return f"{self.prefix}claim:{name}"

    def correlation(self, name: str) -> bytes:
        """A name of an open interrupt, or of one that closed."""
        return f"{self.prefix}correlation:".encode() + stored_name(name)

    def of_run(self, run: str, *parts: str) -> tuple[str, ...]:
        """Parts of a run."""
        return tuple(f"{self.prefix}{{{run}}}:{part}" for part in parts)
