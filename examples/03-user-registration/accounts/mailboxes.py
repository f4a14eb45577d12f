"""Mailboxes, and the mail in them."""


def open_mailbox(user: dict) -> dict:
    address = user["name"].lower().replace(" ", ".") + "@mail.example.com"
    print(f"opened {address}")
    return {"address": address}


def clean_up(user: dict) -> None:
    print(f"closed whatever mailbox {user['id']} had")


def close_mailbox(user: dict, result: dict | None) -> None:
    print(f"closed {result['address'] if result else 'the mailbox of ' + user['id']}")


def subscribe(mailbox: str) -> str:
    print(f"subscribed {mailbox} to the newsletter")
    return "subscribed"


def unsubscribe(mailbox: str) -> None:
    print(f"took {mailbox} off the newsletter")


def welcome(name: str, mailbox: str) -> str:
    if mailbox.startswith("bouncy"):
        raise ConnectionError(f"mail to {mailbox} bounced")
    print(f"welcomed {name}")
    return "sent"
