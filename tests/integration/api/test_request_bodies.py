"""Reading a request body: within a limit, however it is sent, and only JSON."""

import io
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
from rest_framework.request import Request

from orchestration.api.json_body import (
    MAX_BODY_BYTES,
    BodyTooLarge,
    BodyUnreadable,
    JsonBody,
    MalformedJson,
    read_json,
)

LIMIT_JSON = b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'


class Wire(io.BytesIO):
    """What the server hands over; remembers how much of it was taken."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(size)
        self.taken += len(part)
        return part


def read(wire: io.BytesIO, **environ: Any) -> JsonBody:
    request = RequestFactory().post("/", content_type="application/json")
    environ = {**request.environ, "wsgi.input": wire, **environ}
    return read_json(Request(WSGIHandler.request_class(environ)))


def declared(body: bytes) -> JsonBody:
    return read(Wire(body), CONTENT_LENGTH=str(len(body)))


def chunked(wire: io.BytesIO) -> JsonBody:
    return read(wire, **{"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True})


def test_body_of_exactly_the_limit_is_read() -> None:
    assert declared(LIMIT_JSON).value == chunked(Wire(LIMIT_JSON)).value


def test_body_declared_too_large_is_not_read_at_all() -> None:
    wire = Wire(LIMIT_JSON + b" ")
    with pytest.raises(BodyTooLarge):
        read(wire, CONTENT_LENGTH=str(MAX_BODY_BYTES + 1))
    assert wire.taken == 0


def test_chunked_body_is_read_no_further_than_the_limit() -> None:
    wire = Wire(b" " * 10_000_000)
    with pytest.raises(BodyTooLarge):
        chunked(wire)
    assert wire.taken == MAX_BODY_BYTES + 1


def test_body_that_ends_early_is_unreadable() -> None:
    with pytest.raises(BodyUnreadable):
        read(Wire(b"{"), CONTENT_LENGTH="2")


def test_connection_that_breaks_is_unreadable() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError

    with pytest.raises(BodyUnreadable):
        chunked(Broken())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b"[Infinity]",
        b'{"a": 1, "a": 2}',
        b"\xff",
        b"1" * 5_000,
        b"[" * 60_000,
        b"[" * 900 + b"]" * 900 + b",",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        declared(body)


def test_body_does_not_show_itself_in_logs() -> None:
    assert "tok_canary" not in repr(declared(b'{"payment_method": "tok_canary"}'))


def test_hash_is_blind_to_spacing_and_to_member_order() -> None:
    assert declared(b'{"a": 1, "b": [1, 2]}').sha256 == declared(b'{"b":[1,2],"a":1}').sha256


@pytest.mark.parametrize("other", [b'{"a": 2}', b'{"a": "1"}', b'{"a": 1.0}', b'{"b": 1}', b'{"a": [1]}'])
def test_hash_sees_every_other_difference(other: bytes) -> None:
    assert declared(b'{"a": 1}').sha256 != declared(other).sha256
