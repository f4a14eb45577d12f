"""The directory of the company, whose page for Z is full."""

from reactor import Context, Failure


def list_user(user: dict, context: Context) -> dict:
    letter = user["name"].split()[-1][0].upper()
    if letter == "Z":
        raise Failure(f"the page for {letter} is full", retryable=False, details={"page": letter})
    context.logger.info("listing %s", user["id"])
    return {"page": letter}


def clean_up(user: dict, failure: dict) -> None:
    print(f"took {user['id']} out of the directory, if it was in: {failure['message']}")


def remove_user(user: dict, result: dict | None) -> None:
    print(f"took {user['id']} out of the directory")
