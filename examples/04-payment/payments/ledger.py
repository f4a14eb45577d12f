"""The books."""


def book(capture: dict) -> dict:
    print(f"booked {capture['amount'] / 100:.2f}")
    return {"entry": f"entry-{capture['authorization']}", "amount": capture["amount"]}


def strike(capture: dict) -> None:
    print(f"struck the entry for {capture['authorization']}, if there was one")
