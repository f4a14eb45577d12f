"""The budget of a department."""


def reserve(request: str, amount: int) -> dict:
    print(f"{amount} EUR are set aside for {request}")
    return {"reservation": f"budget-{request}", "amount": amount}


def release(request: str, amount: int, **_: object) -> None:
    print(f"{amount} EUR for {request} are free again")
