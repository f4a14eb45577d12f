"""The bill: a team pays for the users that it has."""

from typing import Any

from reactor import Failure

AUDITED = {"support"}


def release_seats(team: str, summary: dict[str, Any]) -> int:
    if team in AUDITED:
        raise Failure(f"the contract of {team} is being audited: no seat may be given back", retryable=False)
    print(f"{team} pays for {summary['archived']} users less")
    return summary["archived"]
