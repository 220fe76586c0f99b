"""The filter that selects sagas to show or to act on: one value for admin, commands, API and batches."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from orchestration.models import SagaInstance
from orchestration.operators.insight.filter_table import FILTERS, FilterRow, ValueKind
from orchestration.operators.insight.search import newest_sagas
from orchestration.operators.insight.status import SagaStatus, statuses_meant
from orchestration.text import formatting
from orchestration.text.cleaning import can_be_stored

STUCK_AFTER = timedelta(minutes=5)
"""A saga that has not moved for this time counts as stuck, unless another time is given."""


@dataclass(frozen=True)
class SagaFilter:
    """The sagas that meet all criteria that are set. Without criteria, it is every saga.

    `statuses`, `steps`, `errors` and `definitions` each list alternatives. `failed_tries_from` is the least number of
    failures in a row of the failing step. `stuck_for`: the saga has not ended, and has not moved for this time.
    """

    statuses: frozenset[SagaStatus] = frozenset()
    steps: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    definitions: frozenset[str] = frozenset()
    failing: bool = False
    """A step fails or waits for a breaker. Paused sagas are left out."""
    undoing: bool = False
    """The saga is being given up or compensated, also during a retry, wait or pause. Parked sagas are left out."""
    failed_tries_from: int = 0
    stuck_for: timedelta | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    """The end of the range, exclusive."""
    customer_id: str = ""
    ids: frozenset[UUID] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """Return the filters that are set, as `from_json` reads them."""
        return {row.attribute: _plain(value) for row, value in _set(self)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "SagaFilter":
        """Return the filter that `as_json` wrote.

        :raises ValueError: when `as_json` cannot have written it.
        """
        try:
            return cls(**{name: _READ[_KINDS[name]](value) for name, value in kept.items()})
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"not a filter of sagas: {error}") from error

    def in_words(self) -> str:
        """Describe the filters, such as "parked or retrying, at authorise_payment, GatewayTimeout"."""
        criteria = (row.in_words.format(_IN_WORDS[row.kind](value)) for row, value in _set(self))
        return ", ".join(criteria) or "every saga"


def saga_filter_from(given: Mapping[str, Any]) -> SagaFilter:
    """Return the filter for the values of a form, a query or options, by their names in `FILTERS`.

    None, "" and a missing name set nothing. A span is a timedelta or seconds. A filter with alternatives takes one text
    or several.
    """
    asked = ((row, given.get(row.name)) for row in FILTERS)
    return SagaFilter(
        **{row.attribute: _given(row, value) for row, value in asked if value is not None and value != ""}
    )


def matching(wanted: SagaFilter, *, now: datetime) -> QuerySet[SagaInstance]:
    """Return the sagas that meet the filters, the newest first."""
    return newest_sagas().filter(condition(wanted, now=now))


def condition(wanted: SagaFilter, *, now: datetime) -> Q:
    """Match the sagas that meet the filters. Each criterion uses an index."""
    return reduce(and_, (row.matches(value, now) for row, value in _set(wanted)), Q())


def _set(wanted: SagaFilter) -> Iterator[tuple[FilterRow, Any]]:
    """Yield the filters that are set, with their values."""
    for row in FILTERS:
        value = getattr(wanted, row.attribute)
        if value != getattr(SagaFilter, row.attribute):
            yield row, value


def _given(row: FilterRow, value: Any) -> Any:
    match row.kind:
        case ValueKind.STATUSES:
            return statuses_meant(value)
        case ValueKind.TEXTS | ValueKind.IDS:
            return frozenset([value] if isinstance(value, str) else value)
        case ValueKind.SPAN if not isinstance(value, timedelta):
            return timedelta(seconds=value)
    return value


_IN_WORDS: Mapping[ValueKind, Callable[[Any], Any]] = {
    ValueKind.STATUSES: lambda statuses: _either(statuses).replace("_", " "),
    ValueKind.TEXTS: lambda texts: _either(texts),
    ValueKind.FLAG: str,
    ValueKind.NUMBER: lambda number: formatting.count(number, "time"),
    ValueKind.SPAN: formatting.span,
    ValueKind.TIME: formatting.moment,
    ValueKind.TEXT: str,
    ValueKind.IDS: len,
}


def _either(words: Iterable[str]) -> str:
    return " or ".join(sorted(words))


def _plain(value: Any) -> Any:
    match value:
        case frozenset():
            return sorted(map(str, value))
        case timedelta():
            return value.total_seconds()
        case datetime():
            return value.isoformat()
    return value


def _texts(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        raise TypeError("a list is wanted")
    return frozenset(map(_text, value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false is wanted")
    return value


def _text(value: Any) -> str:
    text = str(value)
    if not can_be_stored(text):
        raise ValueError("no text of a saga has such letters")
    return text


def _time(value: Any) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{value} names no time zone")
    return at.astimezone(UTC)


_KINDS = {row.attribute: row.kind for row in FILTERS}
_READ: Mapping[ValueKind, Callable[[Any], Any]] = {
    ValueKind.STATUSES: lambda value: frozenset(map(SagaStatus, value)),
    ValueKind.TEXTS: _texts,
    ValueKind.FLAG: _flag,
    ValueKind.NUMBER: int,
    ValueKind.SPAN: lambda value: timedelta(seconds=value),
    ValueKind.TIME: _time,
    ValueKind.TEXT: _text,
    ValueKind.IDS: lambda value: frozenset(map(UUID, value)),
}
