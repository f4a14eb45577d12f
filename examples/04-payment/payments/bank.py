"""The bank. Its line to the account `flaky-line` loses answers, and it takes nothing from shady stores."""

from reactor import Context, Continue, Failure


def authorize(account: str, amount: int, currency: str, context: Context) -> dict:
    print(f"authorized {amount / 100:.2f} {currency} from {account}")
    return {"id": f"auth-{context.idempotency_key[:8]}", "amount": amount, "currency": currency}


def void_any(account: str, **_: object) -> None:
    """Clean up after an authorization that failed."""
    print(f"voided open authorizations of {account}")


def void(account: str, result: dict | None, **_: object) -> None:
    print(f"voided {result['id'] if result else 'whatever was authorized'} of {account}")


def capture(authorization: str, account: str, amount: int, score: float) -> dict:
    if score > 0.5:
        raise Failure(f"{account} looks like fraud (score {score})", retryable=False)
    if account == "flaky-line":
        raise ConnectionError("the bank's answer was lost")
    print(f"captured {amount / 100:.2f} of {authorization}")
    return {"authorization": authorization, "amount": amount}


def reconcile(authorization: str, account: str, amount: int, **_: object) -> None:
    """Clean up after a capture that failed: if the bank did take the money, the step succeeded after all."""
    if account == "flaky-line":
        print(f"the bank has a capture for {authorization}: carrying on")
        raise Continue({"authorization": authorization, "amount": amount})
    print(f"the bank has no capture for {authorization}")


def refund(authorization: str, amount: int, **_: object) -> None:
    print(f"refunded {amount / 100:.2f} of {authorization}")
