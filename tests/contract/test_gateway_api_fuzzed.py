"""Whatever is asked: Schemathesis makes questions of the OpenAPI document, sound ones and others, for a real gateway.

What does not fit the document is answered with 400, 404 or 405, what fits is answered as it says, nothing with 500. The
stream of changes is left to its own tests: it does not end.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from reactor_operator.gateway.api.openapi import openapi_document
from tests.contract.looking import looking

_TOKEN = {"Authorization": "Bearer token-of-ann"}


def _generable(part: Any) -> Any:
    """Return the document without patterns of Unicode classes, which Schemathesis makes no texts of."""
    if isinstance(part, dict):
        return {
            name: _generable(one)
            for name, one in part.items()
            if not (name == "pattern" and isinstance(one, str) and r"\p{" in one)
        }
    return [_generable(one) for one in part] if isinstance(part, list) else part


_DOCUMENT = _generable(openapi_document("1"))
_DOCUMENT["paths"].pop("/api/v1/changes")
_FOUND = schemathesis.openapi.from_dict(_DOCUMENT).get_all_operations()
_OPERATIONS = [found.ok() for found in _FOUND if isinstance(found, Ok)]
_EXAMPLES = settings(
    max_examples=40, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A gateway that is served in a thread of its own: questions are asked one after the other, and waited for."""
    ready, over = threading.Event(), threading.Event()
    found: list[str] = []

    async def serve() -> None:
        async with looking() as look:
            found.append(f"http://127.0.0.1:{look.gateway.port}")
            ready.set()
            await asyncio.to_thread(over.wait)

    serving = threading.Thread(target=asyncio.run, args=(serve(),))
    serving.start()
    try:
        assert ready.wait(30)
        yield found[0]
    finally:
        over.set()
        serving.join()


def _names_sent(answer: Response) -> set[str]:
    """Return the names of the parameters of the query that was answered."""
    return {name for name, _ in parse_qsl(urlsplit(str(answer.request.url)).query, keep_blank_values=True)}


def test_the_whole_document_is_understood() -> None:
    assert {operation.path for operation in _OPERATIONS} == set(_DOCUMENT["paths"])


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", _OPERATIONS, ids=lambda operation: operation.label)
def test_every_question_is_answered_as_the_document_says(
    operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, address: str
) -> None:
    @_EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        answer = case.call(base_url=address, headers=_TOKEN)
        # a cursor is text like any other to the document, and only those that a page gave make sense
        excluded: list[Any] = [positive_data_acceptance]
        if not _names_sent(answer) >= set(case.query or ()):
            excluded.append(negative_data_rejection)  # what was unsound is not in the address: an empty list is nothing
        case.validate_response(answer, excluded_checks=excluded)
        assert answer.headers["cache-control"] == ["no-store"]

    ask()
