"""Which sagas an operator wants to see, or to act on: one value for admin, commands, API and batches."""

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
"""What has not moved for so long is called stuck, unless somebody says how long."""


@dataclass(frozen=True)
class SagaFilter:
    """Sagas that meet all of it; what is empty asks for nothing. Without anything it is every saga.

    `statuses`, `steps`, `errors` and `definitions` are alternatives each. `failed_tries_from`: the failing step has
    failed at least so often in a row. `stuck_for`: it has not ended, and nothing has moved for so long.
    """

    statuses: frozenset[SagaStatus] = frozenset()
    steps: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    definitions: frozenset[str] = frozenset()
    failing: bool = False
    """A step of it fails, or waits for a breaker; what is paused is left out."""
    undoing: bool = False
    """It is given up or compensated, also while that is retried, waits or is paused; what is parked is left out."""
    failed_tries_from: int = 0
    stuck_for: timedelta | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    """Exclusive."""
    customer_id: str = ""
    ids: frozenset[UUID] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """Return the filters that are set, as `from_json` reads them."""
        return {row.attribute: _plain(value) for row, value in _set(self)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "SagaFilter":
        """Read what `as_json` returned.

        :raises ValueError: when it is not what `as_json` gives.
        """
        try:
            return cls(**{name: _READ[_KINDS[name]](value) for name, value in kept.items()})
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"not a filter of sagas: {error}") from error

    def in_words(self) -> str:
        """Describe the filters, such as "parked or retrying, at authorise_payment, GatewayTimeout"."""
        said = (row.in_words.format(_SAID[row.kind](value)) for row, value in _set(self))
        return ", ".join(said) or "every saga"


def saga_filter_from(given: Mapping[str, Any]) -> SagaFilter:
    """Read the filters, by their names in `FILTERS`, as forms, parameters and options give them.

    None, "" and a missing name ask for nothing. A span is a timedelta or seconds; what has alternatives is a text or
    several.
    """
    asked = ((row, given.get(row.name)) for row in FILTERS)
    return SagaFilter(
        **{row.attribute: _given(row, value) for row, value in asked if value is not None and value != ""}
    )


def matching(wanted: SagaFilter, *, now: datetime) -> QuerySet[SagaInstance]:
    """Return the sagas that meet the filters, the newest first."""
    return newest_sagas().filter(condition(wanted, now=now))


def condition(wanted: SagaFilter, *, now: datetime) -> Q:
    """Match the sagas that meet the filters. An index answers every part."""
    return reduce(and_, (row.matches(value, now) for row, value in _set(wanted)), Q())


def _set(wanted: SagaFilter) -> Iterator[tuple[FilterRow, Any]]:
    """Yield the filters that ask for something, with their values."""
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


_SAID: Mapping[ValueKind, Callable[[Any], Any]] = {
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
