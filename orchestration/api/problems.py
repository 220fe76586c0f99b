"""Errors as RFC 9457 problem documents."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from orchestration.text.card_numbers import REFUSED, holds_card_number, without_card_numbers

CONTENT_TYPE = "application/problem+json"

logger = logging.getLogger("django.request")


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one member of the request body; `pointer` is a JSON pointer (RFC 6901), "" the whole body."""

    pointer: str
    code: str
    detail: str


@dataclass(frozen=True)
class Document:
    """One problem as it is sent. `facts` become further members, `headers` become headers of the response."""

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the members of RFC 9457, then ours. They may repeat what a client sent, but no card number."""
        return {
            "type": f"urn:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": without_card_numbers(self.detail),
            "code": self.code,
            "errors": [_as_json(error) for error in self.errors],
            **self.facts,
        }


class Problem(Exception):
    """A request that cannot be granted.

    Subclass it beside the code that raises it: the docstring is the title, `code` the name that programs may compare.
    `errors` name the invalid members, `headers` are sent with the answer, `facts` are further members of the document.
    """

    status: ClassVar[int]
    code: ClassVar[str]

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(self.code)
        title = (self.__doc__ or self.code).strip()
        self.document = Document(self.status, self.code, title, detail or title, tuple(errors), facts, headers or {})


class ValidationFailed(Problem):
    """The request body does not have the shape that is asked for."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "validation_failed"


class ServiceUnavailable(Problem):
    """A database did not answer. Nothing is known to be lost; the same request may be sent again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "service_unavailable"


class InternalError(Problem):
    """Something broke here. The same request, with the same Idempotency-Key, may be sent again."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"


def handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Answer any exception of a view with a problem document (REST framework's `EXCEPTION_HANDLER`)."""
    document = document_of(error)
    if document.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _report(error, context["request"])
    return Response(document.as_json(), status=document.status, headers=document.headers, content_type=CONTENT_TYPE)


def field_errors(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """Flatten a REST framework validation error: dicts and lists of `ErrorDetail`, nested as the body is."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from field_errors(inner, _member(pointer, name))
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list | tuple)
            yield from field_errors(inner, f"{pointer}/{index}" if nested else pointer)
    else:
        yield FieldError(pointer, getattr(detail, "code", None) or "invalid", str(detail))


def document_of(error: Exception) -> Document:
    """Return the public description of an exception, without internal details."""
    match error:
        case Problem():
            return error.document
        case exceptions.ValidationError():
            return ValidationFailed(errors=field_errors(error.detail)).document
        case Http404():
            return _of_the_framework(exceptions.NotFound())
        case PermissionDenied():
            return _of_the_framework(exceptions.PermissionDenied())
        case exceptions.APIException():
            return _of_the_framework(error)
        case OperationalError() | InterfaceError():
            return ServiceUnavailable(headers={"Retry-After": "1"}).document
        case _:
            return InternalError().document


def _as_json(error: FieldError) -> dict[str, str]:
    """Return the error as it is sent. If it would repeat a card number, replace it by an error that says only that.

    A member's name may hold a card number, and the framework's own fields repeat what they refuse.
    """
    if holds_card_number(error.pointer) or holds_card_number(error.detail):
        error = FieldError(without_card_numbers(error.pointer), "card_number", REFUSED)
    return asdict(error)


def _member(pointer: str, name: object) -> str:
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return pointer
    escaped = str(name).encode(errors="backslashreplace").decode()  # half a surrogate pair cannot be sent
    return f"{pointer}/{escaped.replace('~', '~0').replace('/', '~1')}"


def _of_the_framework(error: exceptions.APIException) -> Document:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Document(
        status=error.status_code,
        code=error.default_code,
        title=HTTPStatus(error.status_code).phrase,
        detail=str(error.detail),
        headers=headers,
    )


def _report(error: Exception, request: Request) -> None:
    logger.error("%s %s broke", request.method, request.path, exc_info=error)
    got_request_exception.send(sender=None, request=request._request)
