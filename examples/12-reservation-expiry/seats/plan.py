"""The plan of seats."""


def hold(seat: str) -> dict:
    print(f"seat {seat} is held")
    return {"seat": seat}


def free(seat: str, **_: object) -> None:
    print(f"seat {seat} is free again")


def sell(seat: str, payment: dict) -> dict:
    print(f"seat {seat} is sold")
    return {"seat": seat, "sold": True, "receipt": payment.get("receipt", "none")}


def expire(seat: str, payment: dict) -> dict:
    free(seat)
    return {"seat": seat, "sold": False}
