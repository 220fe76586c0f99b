"""The `Idempotency-Key` header: a client's promise that two requests are one."""

import re
from http import HTTPStatus

from rest_framework.request import Request

from orchestration.api.problems import Problem

_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")


class KeyMissing(Problem):
    """The Idempotency-Key header is missing."""

    status = HTTPStatus.BAD_REQUEST
    code = "idempotency_key_missing"


class KeyMalformed(Problem):
    """The Idempotency-Key header is not 1 to 255 printable ASCII characters."""

    status = HTTPStatus.BAD_REQUEST
    code = "idempotency_key_malformed"


class KeyReused(Problem):
    """This Idempotency-Key came with another request body before."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_key_reused"


class KeyInProgress(Problem):
    """The first request with this Idempotency-Key is not finished yet."""

    status = HTTPStatus.CONFLICT
    code = "idempotency_key_in_progress"


def idempotency_key(request: Request) -> str:
    """Read the header.

    :raises KeyMissing: when there is none, or an empty one.
    :raises KeyMalformed: when it is not 1 to 255 printable ASCII characters.
    """
    key: str = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise KeyMissing
    if not _PRINTABLE.fullmatch(key):
        raise KeyMalformed
    return key
