"""The supplier, who is asked only for what was approved."""

from reactor import Failure


def order(request: str, item: str, decision: dict) -> dict:
    if not decision["approved"]:
        why = decision["note"] or "no reason given"
        raise Failure(f"{decision['by']} declined {request}: {why}", retryable=False)
    print(f"ordered {item}, approved by {decision['by']}")
    return {"order": f"order-{request}", "item": item, "approvedBy": decision["by"]}
