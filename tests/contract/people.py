"""People and programs as the API server would know them, in memory: whose token it is, who may what, which runs are."""

from dataclasses import dataclass, field

from reactor_operator.gateway.reviews import Caller, Right
from reactor_operator.ports import Unavailable

SIGNAL = "create reactorsignals in namespace {}"
APPROVE = "update reactorruns/approval in namespace {}"


@dataclass(slots=True)
class People:
    """Reviews and runs. `away`: it answers nothing. `asked` is what it was asked, in order."""

    tokens: dict[str, Caller] = field(default_factory=dict)
    rights: set[tuple[str, str]] = field(default_factory=set)
    runs: dict[tuple[str, str], str] = field(default_factory=dict)
    away: bool = False
    asked: list[str] = field(default_factory=list)

    def let(self, name: str, *rights: str) -> str:
        """Let somebody do these things, and return their token."""
        self.tokens[f"token-of-{name}"] = Caller(name=name)
        self.rights |= {(name, right) for right in rights}
        return f"token-of-{name}"

    async def identify(self, token: str) -> Caller | None:
        self._note(f"whose token is {token}")
        return self.tokens.get(token)

    async def allows(self, caller: Caller, right: Right) -> bool:
        self._note(f"may {caller.name} {right}")
        return (caller.name, str(right)) in self.rights

    async def find_run(self, namespace: str, name: str) -> str | None:
        self._note(f"which run is {namespace}/{name}")
        return self.runs.get((namespace, name))

    def _note(self, question: str) -> None:
        self.asked.append(question)
        if self.away:
            raise Unavailable("API server answered 500: away")
