"""The `Idempotency-Key` header, by which a client marks two requests as the same one."""

import re
from http import HTTPStatus

from rest_framework.request import Request

from orchestration.api.problems import Problem
from orchestration.text.card_numbers import holds_card_number

LONGEST_KEY = 255
KEY_PATTERN = r"^([!#-+\--~]([ !#-+\--~]*[!#-+\--~])?|\"[ !#-~]*\")$"
"""Printable ASCII; commas and double quotes only as in a string of RFC 9651, `"a,b"`.

A server joins two headers of the same name with a comma: two keys must not become a third.
"""

_KEY = re.compile(KEY_PATTERN)


class KeyMissing(Problem):
    """The Idempotency-Key header is missing."""

    status = HTTPStatus.BAD_REQUEST
    code = "idempotency_key_missing"


class KeyMalformed(Problem):
    """The Idempotency-Key is not 1 to 255 printable ASCII characters, or has a comma or a double quote out of place."""

    status = HTTPStatus.BAD_REQUEST
    code = "idempotency_key_malformed"


class KeyIsCardNumber(Problem):
    """The Idempotency-Key header holds what looks like a card number."""

    status = HTTPStatus.BAD_REQUEST
    code = "card_number"


class KeyReusedProblem(Problem):
    """This Idempotency-Key came with another request body before."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_key_reused"


class KeyInProgressProblem(Problem):
    """The first request with this Idempotency-Key is not finished yet."""

    status = HTTPStatus.CONFLICT
    code = "idempotency_key_in_progress"


def idempotency_key(request: Request) -> str:
    """Read the header.

    :raises KeyMissing: when it is missing or empty.
    :raises KeyMalformed: when it is not 1 to 255 printable ASCII characters, or is sent twice.
    :raises KeyIsCardNumber: when it holds a card number, because keys are stored.
    """
    key: str = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise KeyMissing
    if len(key) > LONGEST_KEY or not _KEY.fullmatch(key):
        raise KeyMalformed
    if holds_card_number(key):
        raise KeyIsCardNumber
    return key
