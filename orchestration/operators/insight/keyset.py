"""Keyset pagination, the newest first. A page begins after the last row of the page before; all pages cost the same."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

_Row = TypeVar("_Row", bound=Model)
_NUMBER = re.compile(r"[0-9]{1,18}")


class BadCursor(ValueError):
    """This is not a cursor of the list."""


@dataclass(frozen=True)
class Page(Generic[_Row]):
    """One page of a list; `next` is the cursor of the next page, empty on the last."""

    rows: list[_Row]
    next: str


class Order(Protocol):
    """The order of a list, and how a position in it is written as a cursor."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns as `order_by` takes them."""

    def cursor_of(self, row: Any) -> str:
        """Return the cursor of this row."""

    def behind(self, cursor: str) -> Q:
        """Match the rows after the cursor.

        :raises BadCursor: when the text is no cursor of this order.
        """


@dataclass(frozen=True)
class ByMoment:
    """Order by a column of times, then by the id, which is a UUID."""

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        return f"-{self.column}", "-pk"

    def cursor_of(self, row: Any) -> str:
        return f"{getattr(row, self.column).astimezone(UTC).isoformat()}~{row.pk}"

    def behind(self, cursor: str) -> Q:
        try:
            at_text, _, id_text = cursor.partition("~")
            at, row_id = datetime.fromisoformat(at_text), UUID(id_text)
            at.astimezone(UTC)  # raises for a time at the edge of the calendar
        except (ValueError, OverflowError) as error:
            raise BadCursor(BadCursor.__doc__) from error
        if at.tzinfo is None:
            raise BadCursor(BadCursor.__doc__)
        return Q((f"{self.column}__lte", at)) & (Q((f"{self.column}__lt", at)) | Q(pk__lt=row_id))


@dataclass(frozen=True)
class ByNumber:
    """Order by the id, which is a growing number."""

    columns: tuple[str, ...] = ("-pk",)

    def cursor_of(self, row: Any) -> str:
        return str(row.pk)

    def behind(self, cursor: str) -> Q:
        if not _NUMBER.fullmatch(cursor):
            raise BadCursor(BadCursor.__doc__)
        return Q(pk__lt=int(cursor))


def page_of(rows: QuerySet[_Row], order: Order, *, after: str = "", size: int = 50) -> Page[_Row]:
    """Return one page: the rows after the cursor, or the first rows without one.

    :raises BadCursor: when `after` is no cursor of this order.
    """
    behind = rows.filter(order.behind(after)) if after else rows
    found = list(behind.order_by(*order.columns)[: size + 1])
    return Page(found[:size], order.cursor_of(found[size - 1]) if len(found) > size else "")
