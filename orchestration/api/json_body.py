"""Reads JSON request bodies up to a size limit."""

import hashlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NoReturn, Protocol

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from orchestration.api.problems import Problem

UNREADABLE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
"""The error statuses of a request whose body is read and validated."""

MAX_BODY_BYTES = 64 * 1024
UNENCODED = "identity"


class BodyTooLarge(Problem):
    """The request body is larger than 64 KB."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"


class BodyUnreadable(Problem):
    """The request body ended before it was complete."""

    status = HTTPStatus.BAD_REQUEST
    code = "body_unreadable"


class ContentEncoded(Problem):
    """The request body is compressed or encoded otherwise. Send it as it is."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_content_encoding"


class MalformedJson(Problem):
    """The request body is not JSON (RFC 8259) in UTF-8."""

    status = HTTPStatus.BAD_REQUEST
    code = "malformed_json"


class Readable(Protocol):
    """A stream from which a body is read."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class JsonBody:
    """The value that a client sent. `sha256` is the hex digest of its canonical form: spacing and the order of members
    make no difference."""

    value: Any = field(repr=False)
    sha256: str


def read_json(request: Request) -> JsonBody:
    """Read the body of a request. Call it before anything reads `request.data`.

    :raises UnsupportedMediaType: when it is not declared as `application/json`.
    :raises ContentEncoded: when it is compressed (RFC 9110, section 8.4).
    :raises BodyTooLarge: when it exceeds `MAX_BODY_BYTES`; at most one byte more is read, also of a chunked body.
    :raises BodyUnreadable: when the client stopped sending.
    :raises MalformedJson: when it is not JSON; duplicate members, NaN and Infinity are not JSON.
    """
    media_type = request.content_type or ""
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType(media_type)
    if request.headers.get("Content-Encoding", UNENCODED).strip().lower() != UNENCODED:
        raise ContentEncoded(headers={"Accept-Encoding": UNENCODED})
    raw = _read(request)
    try:
        return _hashed(json.loads(raw.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique_members))
    except (ValueError, RecursionError) as error:
        raise MalformedJson from error


def read_optional_json(request: Request) -> JsonBody:
    """Read the body of a request that may come without one. That one has the value `{}`.

    :raises Problem: as `read_json` does.
    """
    if _declared_length(request) == 0 and "Transfer-Encoding" not in request.headers:
        return _hashed({})
    return read_json(request)


def _hashed(value: Any) -> JsonBody:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return JsonBody(value, hashlib.sha256(canonical.encode()).hexdigest())


def _read(request: Request) -> bytes:
    if _declared_length(request) > MAX_BODY_BYTES:
        raise BodyTooLarge
    try:
        raw = _stream(request).read(MAX_BODY_BYTES + 1)
    except OSError as error:
        raise BodyUnreadable from error
    if len(raw) > MAX_BODY_BYTES:
        raise BodyTooLarge
    if len(raw) < _declared_length(request):
        raise BodyUnreadable
    return raw


def _declared_length(request: Request) -> int:
    length: str = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdigit() else 0


def _stream(request: Request) -> Readable:
    """Return the body's stream. Django reads nothing of a chunked body, which has no `Content-Length`, so that one is
    read from the server."""
    environ = request.META
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        return environ["wsgi.input"]  # type: ignore[no-any-return]
    return request._request


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members
