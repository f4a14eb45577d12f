"""What a dashboard's server on this machine says itself, in the words of the API.

In: a code, a sentence. Out: an answer. Never here: why.
"""

import orjson
from starlette.responses import Response

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def told(code: int, words: str) -> Response:
    """Return an answer that says what is wrong."""
    return Response(orjson.dumps({"error": words}), code, headers=_HEADERS, media_type="application/json")
