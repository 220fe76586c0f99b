"""Which sagas somebody wants to see, or to act on: one value for admin, commands, API and batches."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from orchestration.models import UNFINISHED, SagaInstance
from orchestration.operators.insight.finding import newest_sagas
from orchestration.operators.insight.status import Status, has_one_of, is_at, is_being_undone
from orchestration.text import formatting
from orchestration.text.cleaning import can_be_stored

STUCK_AFTER = timedelta(minutes=5)
"""What has not moved for so long is called stuck, unless somebody says how long."""


@dataclass(frozen=True)
class Wanted:
    """Sagas that meet all of it; what is empty asks for nothing. Without anything it is every saga.

    `statuses`, `steps`, `errors` and `definitions` are alternatives each. `failed_tries_from`: the failing step has
    failed at least so often in a row. `stuck_for`: it has not ended, and nothing has moved for so long.
    """

    statuses: frozenset[Status] = frozenset()
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
        """What `from_json` reads again: only what is asked for."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: _plain(value) for name, value in asked.items() if value != _ANYTHING[name]}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Wanted":
        """:raises ValueError: when it is not what `as_json` gives."""
        try:
            return cls(**{name: _READ[name](value) for name, value in kept.items()})
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"not a filter of sagas: {error}") from error

    def in_words(self) -> str:
        """Such as "parked or retrying, at authorise_payment, GatewayTimeout"."""
        return ", ".join(_words(self)) or "every saga"


_ANYTHING = {each.name: each.default for each in fields(Wanted)}


def matching(wanted: Wanted, *, now: datetime) -> QuerySet[SagaInstance]:
    """The sagas that are wanted, the newest first."""
    return newest_sagas().filter(condition(wanted, now=now))


def condition(wanted: Wanted, *, now: datetime) -> Q:
    """Match the sagas that are wanted. Every part is answered by an index."""
    found = Q()
    if wanted.statuses:
        found &= has_one_of(wanted.statuses)
    if wanted.steps:
        found &= UNFINISHED & _any(is_at(step) for step in sorted(wanted.steps))
    if wanted.errors:
        found &= ~Q(last_error="") & Q(last_error__in=sorted(wanted.errors))
    if wanted.definitions:
        found &= Q(definition__in=sorted(wanted.definitions))
    if wanted.failing:
        found &= UNFINISHED & ~Q(failing_step="") & Q(paused=False)
    if wanted.undoing:
        found &= is_being_undone()
    if wanted.failed_tries_from:
        found &= ~Q(failing_step="") & Q(failed_tries__gte=wanted.failed_tries_from)
    if wanted.stuck_for is not None:
        then = _before(now, wanted.stuck_for)
        found &= UNFINISHED & Q(changed_at__lte=then, created_at__lte=then)
    return found & _whose_and_when(wanted)


def _whose_and_when(wanted: Wanted) -> Q:
    found = Q()
    if wanted.created_from:
        found &= Q(created_at__gte=wanted.created_from)
    if wanted.created_until:
        found &= Q(created_at__lt=wanted.created_until)
    if wanted.customer_id:
        found &= Q(customer_id=wanted.customer_id)
    if wanted.ids:
        found &= Q(pk__in=wanted.ids)
    return found


def _before(now: datetime, span: timedelta) -> datetime:
    """The first moment of the calendar when `span` reaches beyond it."""
    try:
        return now - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _any(conditions: Any) -> Q:
    return reduce(or_, conditions)


def _words(wanted: Wanted) -> Any:
    if wanted.statuses:
        yield " or ".join(status.value.replace("_", " ") for status in sorted(wanted.statuses))
    if wanted.steps:
        yield f"at {' or '.join(sorted(wanted.steps))}"
    if wanted.errors:
        yield " or ".join(sorted(wanted.errors))
    if wanted.definitions:
        yield " or ".join(sorted(wanted.definitions))
    if wanted.failing:
        yield "failing"
    if wanted.undoing:
        yield "being undone"
    if wanted.failed_tries_from:
        yield f"failed {formatting.count(wanted.failed_tries_from, 'time')} or more"
    if wanted.stuck_for is not None:
        yield f"not moved for {formatting.span(wanted.stuck_for)}"
    if wanted.created_from:
        yield f"created from {formatting.moment(wanted.created_from)}"
    if wanted.created_until:
        yield f"created before {formatting.moment(wanted.created_until)}"
    if wanted.customer_id:
        yield f"of customer {wanted.customer_id}"
    if wanted.ids:
        yield f"{len(wanted.ids)} by id"


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


_READ: Mapping[str, Any] = {
    "statuses": lambda value: frozenset(map(Status, value)),
    "steps": _texts,
    "errors": _texts,
    "definitions": _texts,
    "failing": _flag,
    "undoing": _flag,
    "failed_tries_from": int,
    "stuck_for": lambda value: timedelta(seconds=value),
    "created_from": _time,
    "created_until": _time,
    "customer_id": _text,
    "ids": lambda value: frozenset(map(UUID, value)),
}
