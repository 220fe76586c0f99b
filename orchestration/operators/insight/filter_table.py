"""The table of saga filters. The admin's form, the API's parameters and the commands' options are made from it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from orchestration.models import UNFINISHED
from orchestration.operators.insight.current_step import known_steps
from orchestration.operators.insight.status import has_one_of, is_at, is_being_undone
from orchestration.sagas import definitions


class ValueKind(Enum):
    """The kind of a filter's value; form, API and commands have a field for each kind."""

    STATUSES = auto()
    TEXTS = auto()
    """One or more texts, as alternatives."""
    FLAG = auto()
    NUMBER = auto()
    SPAN = auto()
    TIME = auto()
    TEXT = auto()
    IDS = auto()


@dataclass(frozen=True)
class FilterRow:
    """One filter: `attribute` is its name in `SagaFilter`, `name` its name in form, API and commands."""

    attribute: str
    name: str
    kind: ValueKind
    in_words: str
    """The text that describes the filter, with `{}` for the value."""
    matches: Callable[[Any, datetime], Q]
    """Returns the condition for a value and the present time."""
    help: str = ""
    """The description in the OpenAPI document. Commands use `option_help` where they write values differently."""
    option_help: str = ""
    metavar: str = ""
    label: str | None = None
    """The label of the field in the admin's form."""
    choices: Callable[[], Iterable[str]] | None = None
    """All possible values."""
    suggestions: Callable[[], Iterable[str]] | None = None
    """The values that this code knows. Other values are accepted."""


def _any_step(steps: frozenset[str], _: datetime) -> Q:
    return UNFINISHED & reduce(or_, map(is_at, sorted(steps)))


def _stuck(span: timedelta, now: datetime) -> Q:
    try:
        then = now - span
    except OverflowError:  # the span reaches beyond the calendar
        then = datetime.min.replace(tzinfo=UTC)
    return UNFINISHED & Q(changed_at__lte=then, created_at__lte=then)


_STATUS = FilterRow(
    *("statuses", "status", ValueKind.STATUSES, "{}", lambda statuses, _: has_one_of(statuses)),
    help="Any of these; `unfinished` is all but completed and compensated.",
    metavar="STATUS",
)
_STEP = FilterRow(
    *("steps", "step", ValueKind.TEXTS, "at {}", _any_step, "The step that fails, or whose answer is pending next."),
    metavar="STEP",
    label="Current step",
    choices=known_steps,
)
_ERROR = FilterRow(
    *("errors", "error", ValueKind.TEXTS, "{}"),
    lambda errors, _: ~Q(last_error="") & Q(last_error__in=sorted(errors)),
    "How its last try ended.",
    metavar="CLASS",
    label="Error class",
)
_DEFINITION = FilterRow(
    *("definitions", "definition", ValueKind.TEXTS, "{}"),
    lambda names, _: Q(definition__in=sorted(names)),
    metavar="NAME",
    suggestions=lambda: definitions,
)
_FAILING = FilterRow(
    *("failing", "failing", ValueKind.FLAG, "failing"),
    lambda *_: UNFINISHED & ~Q(failing_step="") & Q(paused=False),
    "A step of it fails or waits for a breaker; what is paused is left out.",
    label="Only what is failing",
)
_UNDOING = FilterRow(
    *("undoing", "undoing", ValueKind.FLAG, "being undone", lambda *_: is_being_undone()),
    help="It is given up or compensated, also while that is retried, waits or is paused; what is parked is left out.",
    label="Only what is being undone",
)
_ATTEMPTS = FilterRow(
    *("failed_tries_from", "attempts", ValueKind.NUMBER, "failed {} or more"),
    lambda least, _: ~Q(failing_step="") & Q(failed_tries__gte=least),
    "Its failing step has failed so often or more.",
    metavar="N",
    label="Failed tries, at least",
)
_STUCK = FilterRow(
    *("stuck_for", "stuck_longer_than", ValueKind.SPAN, "not moved for {}", _stuck),
    help="Nothing has moved for so many seconds.",
    option_help="nothing has moved for 90s, 15m, 2h, 30d…",
    metavar="SPAN",
    label="Not moved for, minutes",
)
_FROM = FilterRow(
    *("created_from", "created_from", ValueKind.TIME, "created from {}", lambda at, _: Q(created_at__gte=at)),
    option_help="such as 2026-07-14T12:00, UTC unless it says",
    metavar="WHEN",
    label="Created from (UTC)",
)
_UNTIL = FilterRow(
    *("created_until", "created_until", ValueKind.TIME, "created before {}", lambda at, _: Q(created_at__lt=at)),
    help="Exclusive.",
    metavar="WHEN",
    label="Created before (UTC)",
)
_CUSTOMER = FilterRow(
    *("customer_id", "customer", ValueKind.TEXT, "of customer {}", lambda customer, _: Q(customer_id=customer)),
    metavar="ID",
)
_IDS = FilterRow("ids", "ids", ValueKind.IDS, "{} by id", lambda ids, _: Q(pk__in=ids))

FILTERS = (
    *(_STATUS, _STEP, _ERROR, _DEFINITION, _FAILING, _UNDOING),
    *(_ATTEMPTS, _STUCK, _FROM, _UNTIL, _CUSTOMER, _IDS),
)
