"""Lists by the page, the newest first: each begins behind the last row of the one before, and none costs more."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

_Row = TypeVar("_Row", bound=Model)
_NUMBER = re.compile(r"[0-9]{1,18}")


class BadCursor(ValueError):
    """This is no place in the list."""


@dataclass(frozen=True)
class Page(Generic[_Row]):
    """`next` is the cursor of the page behind it, empty on the last."""

    rows: list[_Row]
    next: str


class Order(Protocol):
    """What comes first in a list, and how one of its places is written down."""

    @property
    def columns(self) -> tuple[str, ...]:
        """As `order_by` takes them."""

    def cursor_of(self, row: Any) -> str:
        """Return the place of this row in the list."""

    def behind(self, cursor: str) -> Q:
        """Match what comes after that place.

        :raises BadCursor: when it is none.
        """


@dataclass(frozen=True)
class ByMoment:
    """By a column of moments and, of those that share one, by the id, which is a UUID."""

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
            at.astimezone(UTC)  # which a time at the edge of the calendar has none of
        except (ValueError, OverflowError) as error:
            raise BadCursor(BadCursor.__doc__) from error
        if at.tzinfo is None:
            raise BadCursor(BadCursor.__doc__)
        return Q((f"{self.column}__lte", at)) & (Q((f"{self.column}__lt", at)) | Q(pk__lt=row_id))


@dataclass(frozen=True)
class ByNumber:
    """By the id, which is a number that grows."""

    columns: tuple[str, ...] = ("-pk",)

    def cursor_of(self, row: Any) -> str:
        return str(row.pk)

    def behind(self, cursor: str) -> Q:
        if not _NUMBER.fullmatch(cursor):
            raise BadCursor(BadCursor.__doc__)
        return Q(pk__lt=int(cursor))


def page_of(rows: QuerySet[_Row], order: Order, *, after: str = "", size: int = 50) -> Page[_Row]:
    """Return one page, behind the row that the cursor names.

    :raises BadCursor: when `after` is none.
    """
    behind = rows.filter(order.behind(after)) if after else rows
    found = list(behind.order_by(*order.columns)[: size + 1])
    return Page(found[:size], order.cursor_of(found[size - 1]) if len(found) > size else "")
