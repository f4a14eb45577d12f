"""The record of an open task: what reconcile writes, the gateway reads."""

import pytest

from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.record import OpenRecord, UnreadableRecord, decode_record, encode_record

REF = ValueRef("ab", 2)


@pytest.mark.parametrize(
    "record",
    [
        OpenRecord(),
        OpenRecord(request=REF),
        OpenRecord(pool=REF),
        OpenRecord(arguments=ValueRef('={"id":"a"}', 10)),
        OpenRecord(failure=b'{"kind":"Error"}', detail=REF),
        OpenRecord(arguments=REF, result=REF, failure=b'{"kind":"Error","message":"\xc3\xa9"}', uncertain=True),
    ],
)
def test_a_record_is_read_as_it_was_written(record: OpenRecord) -> None:
    assert decode_record(encode_record(record)) == record


def test_the_form_is_json() -> None:
    record = OpenRecord(arguments=REF, failure=b'{"kind":"Error"}')
    assert encode_record(record) == (
        b'{"arguments":{"digest":"ab","size":2},"result":null,"failure":{"kind":"Error"},"uncertain":false}'
    )


def test_a_record_that_an_older_version_wrote_has_neither_request_nor_detail() -> None:
    assert decode_record(b'{"arguments":null,"result":null,"failure":null,"uncertain":false}') == OpenRecord()


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"arguments":7}'])
def test_damaged_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        decode_record(body)
