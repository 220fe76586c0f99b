"""Pages of lists, by cursor: rows that are added or removed meanwhile neither repeat nor hide others."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from uuid import UUID

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


class MergedRows(Generic[_Row]):
    """Rows of several tables as one list for `Pages`: rows of one id become one, which `merge` makes of them.

    `merge` gets the id and, for each table, its row or None. The list can be ordered by id only.
    """

    def __init__(
        self, merge: Callable[[UUID, Sequence[Any]], _Row], tables: Sequence[QuerySet[Any]], newest_first: bool = True
    ) -> None:
        self._merge = merge
        self._tables = tables
        self._newest_first = newest_first

    def order_by(self, ordering: str) -> "MergedRows[_Row]":
        """Return the rows in the order "id" or "-id"."""
        tables = [table.order_by(ordering) for table in self._tables]
        return MergedRows(self._merge, tables, newest_first=ordering.startswith("-"))

    def filter(self, **conditions: Any) -> "MergedRows[_Row]":
        """Return the rows that meet the conditions."""
        tables = [table.filter(**conditions) for table in self._tables]
        return MergedRows(self._merge, tables, newest_first=self._newest_first)

    def __getitem__(self, wanted: slice) -> list[_Row]:
        found = [{row.pk: row for row in table[: wanted.stop]} for table in self._tables]
        ids = sorted({row_id for rows in found for row_id in rows}, reverse=self._newest_first)
        return [self._merge(row_id, [rows.get(row_id) for rows in found]) for row_id in ids[wanted]]


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
        self,
        queryset: QuerySet[Any, _Row] | MergedRows[_Row] | Sequence[_Row],
        request: Request,
        view: APIView | None = None,
    ) -> list[_Row]:
        """Return the rows of the page.

        :raises InvalidCursor: when it holds a value that the ordering column cannot have.
        """
        try:
            rows: list[_Row] = super().paginate_queryset(queryset, request, view) or []  # type: ignore[arg-type]
        except ValidationError as error:
            raise InvalidCursor from error
        return rows
