"""Pages of lists, by cursor: rows that are added or removed meanwhile neither repeat nor hide others."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from orchestration.api.problems import Problem

_Row = TypeVar("_Row")


class InvalidCursor(Problem):
    """The cursor is none that this list gave out."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_cursor"


class Pages(CursorPagination):
    """REST framework's cursor pagination, but an invalid cursor is answered with a problem document."""

    cursor_query_description = "From `next` or `previous` of another page."

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Decode the request's cursor, if it has one.

        :raises InvalidCursor: when it cannot be decoded.
        """
        try:
            cursor: Cursor | None = super().decode_cursor(request)
        except NotFound as error:
            raise InvalidCursor from error
        if cursor and "\0" in str(cursor.position):
            raise InvalidCursor
        return cursor

    def paginate_queryset(
        self, queryset: QuerySet[Any, _Row] | Sequence[_Row], request: Request, view: APIView | None = None
    ) -> list[_Row]:
        """Return the rows of the page.

        :raises InvalidCursor: when it holds a value that the ordering column cannot have.
        """
        try:
            rows: list[_Row] = super().paginate_queryset(queryset, request, view) or []
        except ValidationError as error:
            raise InvalidCursor from error
        return rows
