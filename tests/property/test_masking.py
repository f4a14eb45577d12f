"""Whatever a handler raises with a sensitive text in it, nothing that is told of it has the text or its beginning."""

import json
import os
from collections.abc import Callable
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from reactor.describing import describe
from reactor.documents import failed
from reactor.masking import Masks, masked_outcome, texts_in
from reactor.outcomes import Failure

MARK = "CAN" + "ARY"  # the lines around a failure are shown
TEXTS = st.text("abcXYZ019 \"'\\ä€%/+-=_", max_size=60).map(lambda rest: MARK + rest)


def chained(text: str, padding: str) -> Exception:
    error = OSError(padding + text)
    error.__cause__ = ValueError(text)
    return error


WAYS: list[Callable[[str, str], Exception]] = [
    lambda text, padding: ValueError(f"{padding}{text}"),
    lambda text, padding: KeyError({padding[:5]: [text]}),
    lambda text, padding: RuntimeError(padding + json.dumps({"a": text})),
    lambda text, padding: RuntimeError(f"{padding[:190]} {text!r} {padding}"),
    lambda text, padding: LookupError(f"GET http://x/{quote(text)}?{padding}"),
    lambda text, padding: Failure(padding, details={"found": [text, {"in": f"<{text}>"}]}),
    lambda text, padding: ExceptionGroup(padding, [ValueError(text), TypeError(f"{padding}{text}")]),
    chained,
]


@settings(max_examples=int(os.environ.get("REACTOR_EXAMPLES", "60")), deadline=None)
@given(text=TEXTS, repeated=st.sampled_from([1, 1, 1, 7, 40]), way=st.sampled_from(WAYS), padding=st.integers(0, 1100))
def test_no_failure_tells_a_sensitive_text(
    text: str, repeated: int, way: Callable[[str, str], Exception], padding: int
) -> None:
    text *= repeated
    try:
        raise way(text, "z" * padding)
    except Exception as error:
        document = masked_outcome(failed(describe("Error", error)), Masks(texts_in([{"a": [text]}])))
    assert MARK[:4].encode() not in document
