"""The classes by which a service declares what an audit reads and checks of it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from orchestration.contracts.audit import Checked, ExternalRecord, StepEffect
from orchestration.contracts.command import Action
from orchestration.participant.selection import Selection

BATCH = 5_000
"""Rows fetched at a time from a cursor on the server."""

F = TypeVar("F")
M = TypeVar("M", bound=ExternalRecord)

Sums = Callable[[Sequence[Selection]], Mapping[str, int]]
"""Minor units by currency, of all sagas but those selected. A change of an order is a saga of its own."""


@dataclass(frozen=True)
class AuditedRows(Generic[F]):
    """One kind of row that a service writes for sagas. `kind` names it in findings: "payment".

    `read` gives the facts by saga, from the service's own database, of which the audit has opened a snapshot. `action`
    is the step that writes the row; `effect` returns the effect of that step.
    """

    facts: type[F]
    kind: str
    action: Action
    read: Callable[[Selection], Mapping[UUID, F]]
    effect: Callable[[F], StepEffect]
    later_effects: Mapping[Action, Callable[[F, bool], StepEffect | None]] = field(default_factory=dict)
    """By a later action on the same row: (facts, whether a repair saga was about this saga) -> its effect. None: the
    action has no effect and needs no ledger row."""
    order_of: Callable[[F], UUID] | None = None
    """Returns the order of a row, which must be that of its saga (Q6)."""
    lacks: Callable[[F | None, Mapping[str, int]], str] | None = None
    """(facts or None, ordered units by SKU in NFC) -> what a completed checkout with this action lacks (Q2), worded to
    follow "The saga is completed, and". Empty: nothing."""
    leftover: Callable[[F], str] | None = None
    """Returns what a compensated checkout has left behind (Q3), worded to follow "The saga is compensated, and".
    Empty: nothing."""
    changes: Callable[[F], Collection[UUID]] | None = None
    """Returns the changes of placed orders that the row of a checkout names. While one is under way, its checkout is
    not judged."""
    disagrees: Callable[[F, bool], str] | None = None
    """(facts, whether the order is cancelled) -> how the row of a completed checkout disagrees with that (Q2), worded
    to follow "the order is cancelled, and" or "the order is not cancelled, and". Empty: it does not."""
    check: Callable[[Mapping[UUID, F]], Iterable[Checked]] | None = None
    """Checks the invariants of these rows alone."""


@dataclass(frozen=True)
class AuditedBooks(Generic[M]):
    """The books of a gateway or carrier that a service calls. `name` names it in findings, and is the database alias.

    Only a sandbox's books can be read. If they cannot, the audit reports `needed_for` ("A4 Q6") as not checked.
    """

    facts: type[M]
    name: str
    action: Action
    needed_for: str
    can_be_read: Callable[[], bool]
    read: Callable[[Selection], Iterable[M]]
    leftovers: Callable[[Sequence[M]], Iterable[str]]
    """Yields what one compensated checkout has left behind (Q3), worded to follow "The saga is compensated, and"."""
    check: Callable[[Sequence[M]], Iterable[Checked]]
    """Checks the invariants of these books alone."""
    kept: Sums | None = None
    """Returns the money captured less refunded, which must be the `worth` of orders and the `other_money` (Q4)."""


@dataclass(frozen=True)
class ServiceAudit:
    """Everything that an audit checks of one service, apart from its ledger."""

    rows: tuple[AuditedRows[Any], ...] = ()
    books: tuple[AuditedBooks[Any], ...] = ()
    invariants: Mapping[str, str] = field(default_factory=dict)
    """Rules of this service alone, by code, such as "A1"."""
    check_everything: Callable[[], Iterable[Checked]] | None = None
    """Checks invariants that need every row, such as sums. It is called in a snapshot of the database."""
    worth: Sums | None = None
    """Returns the worth of the service's confirmed orders, less what closed changes have given back (Q4)."""
    other_money: Sums | None = None
    """Returns the money at the gateway that no order is worth, such as refunds that failed (Q4)."""


def one_for_an_order(fault: str, order: str, made_under: Sequence[str]) -> Checked:
    """Check A4 for one order at gateway or carrier: it is violated, as `fault` says, by two or more keys."""
    if len(made_under) < 2:
        return Checked("A4", (), {})
    return Checked("A4", (fault,), {"order": order, "key": made_under[0], "other_key": made_under[1]})
