"""The table of users."""

import hashlib


def user_id(email: str) -> str:
    """Return the id of a user: a function of the address, so that creating one twice makes one user."""
    return "user-" + hashlib.sha256(email.lower().encode()).hexdigest()[:8]


def create(name: str, email: str, plan: str) -> dict:
    user = {"id": user_id(email), "name": name, "email": email, "plan": plan}
    print(f"created {user['id']} for {name} on the {plan} plan")
    return user


def clean_up(email: str, **_: object) -> None:
    print(f"removed what there was of {user_id(email)}")


def delete(email: str, **_: object) -> None:
    print(f"deleted {user_id(email)}")
