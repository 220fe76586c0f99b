"""Reads the books of all services and external systems, each database in one snapshot."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from orchestration.contracts.audit import (
    CarrierParcel,
    Checked,
    ExternalRecord,
    GatewayAccount,
    OrderFacts,
    PaymentFacts,
    ShipmentFacts,
)
from orchestration.db import clocks
from orchestration.models import ALIAS
from orchestration.operators.audit import keys
from orchestration.operators.audit.invariants import ledgers, order_changes, repairs, saga_logs, sagas, settled
from orchestration.operators.audit.invariants.ledgers import Remembered
from orchestration.operators.audit.invariants.order_changes import OrderChanges
from orchestration.operators.audit.invariants.repairs import Repairs
from orchestration.operators.audit.invariants.sagas import SagaFacts
from orchestration.operators.audit.invariants.settled import Evidence
from orchestration.operators.audit.read_only import snapshot
from orchestration.participant.audit import AuditedBooks, AuditedRows
from orchestration.participant.participant import participants
from orchestration.participant.selection import EVERYTHING, Selection

F = TypeVar("F")
M = TypeVar("M", bound=ExternalRecord)

Accounts = Mapping[UUID | None, Sequence[GatewayAccount]]
"""By the saga that the authorisation's key names; None if it names none."""
Parcels = Mapping[UUID | None, Sequence[CarrierParcel]]
"""By the saga that the booking's key names; None if it names none."""


@dataclass(frozen=True)
class RowsRead:
    """The facts of one kind of row, by saga."""

    of: AuditedRows[Any]
    by_saga: Mapping[UUID, Any]


@dataclass(frozen=True)
class BooksRead:
    """The records of a gateway or carrier, by the saga that their key names (None if it names none).

    `by_saga` is None if the books cannot be read."""

    of: AuditedBooks[Any]
    by_saga: Mapping[UUID | None, Sequence[Any]] | None


@dataclass(frozen=True)
class ServiceBooks:
    """The records of the services, by saga."""

    ledgers: ledgers.Ledgers
    rows: Sequence[RowsRead]
    checked: Sequence[Checked]
    """Checks that services make over all of their rows; none if the books are not whole."""

    @cached_property
    def orders(self) -> Mapping[UUID, OrderFacts]:
        return self.of(OrderFacts)

    @cached_property
    def payments(self) -> Mapping[UUID, PaymentFacts]:
        return self.of(PaymentFacts)

    @cached_property
    def shipments(self) -> Mapping[UUID, ShipmentFacts]:
        return self.of(ShipmentFacts)

    def of(self, facts: type[F]) -> Mapping[UUID, F]:
        """Return these facts by saga; an empty mapping if no service provides them."""
        return next((read.by_saga for read in self.rows if read.of.facts is facts), {})

    def row(self, step: str, saga_id: UUID) -> Remembered | None:
        """Return the ledger row of this step and saga; None if there is none."""
        return self.ledgers.get(step, {}).get(saga_id)

    def mentions(self) -> Iterator[tuple[str, Iterable[UUID]]]:
        """Yield each kind of row, and the sagas that rows of this kind name."""
        yield from ((f"{step} ledger row", rows) for step, rows in self.ledgers.items())
        yield from ((read.of.kind, read.by_saga) for read in self.rows)

    @cached_property
    def checkout_of_changes(self) -> Mapping[UUID, UUID]:
        """Each change that a row of a checkout names, and that checkout."""
        return {
            change_id: checkout_id
            for read in self.rows
            if read.of.changes is not None
            for checkout_id, facts in read.by_saga.items()
            for change_id in read.of.changes(facts)
        }


@dataclass(frozen=True)
class Books:
    """The records of all databases. Sagas were read first, so all effects of those that had ended are here."""

    sagas: Mapping[UUID, SagaFacts]
    newer: Mapping[UUID, SagaFacts]
    """Sagas that began while the other books were read."""
    logs: Mapping[UUID, saga_logs.LogFacts]
    services: ServiceBooks
    outside: Sequence[BooksRead]
    repairs: Repairs = field(default_factory=Repairs)
    changes: OrderChanges = field(default_factory=OrderChanges)
    purged: frozenset[UUID] = frozenset()
    """Purged sagas that other records name, and sagas purged while the books were read."""
    settled: Evidence = field(default_factory=dict)
    are_whole: bool = True
    """Whether these are all sagas, so that sums over them can be compared."""

    @cached_property
    def accounts(self) -> Accounts | None:
        """The gateway's authorisations, by saga; None if the gateway is not the sandbox."""
        return self.made(GatewayAccount)

    @cached_property
    def parcels(self) -> Parcels | None:
        """The carrier's bookings, by saga; None if the carrier is not the sandbox."""
        return self.made(CarrierParcel)

    def made(self, facts: type[M]) -> Mapping[UUID | None, Sequence[M]] | None:
        """Return these external records by saga; None if no service provides them, or they cannot be read."""
        return next((read.by_saga for read in self.outside if read.of.facts is facts), None)

    def saga(self, saga_id: UUID | None) -> SagaFacts | None:
        """Return this saga, also if it began while the books were read; None if there is none."""
        return (self.sagas.get(saga_id) or self.newer.get(saga_id)) if saga_id else None

    def has_ended(self, saga_id: UUID | None) -> bool:
        """Return whether the saga had ended before the other books were read, and no repair or change is under way."""
        saga = self.sagas.get(saga_id) if saga_id else None
        altered = saga_id in self.repairs.under_way or saga_id in self.changes.under_way
        return saga is not None and saga.has_ended and not altered

    def is_unfinished(self, saga_id: UUID | None) -> bool:
        """Return whether the saga exists and may still change its books."""
        return self.saga(saga_id) is not None and not self.has_ended(saga_id)

    def ended_checkouts(self) -> Iterator[SagaFacts]:
        """Yield the checkouts that had ended before the other books were read."""
        return (saga for saga in self.sagas.values() if saga.is_checkout and self.has_ended(saga.id))


def read(chosen: Selection = EVERYTHING) -> Books:
    """Read every database, one after the other.

    Orchestration is read first, and once more at the end for sagas that began meanwhile. External systems are read
    after the services, because services commit a ledger row before they call.

    :raises CannotAudit: when a database cannot be reached or lacks a table.
    """
    began_at = clocks.now()
    with snapshot(ALIAS):
        known = sagas.read(chosen)
        logs = saga_logs.read(known, chosen)
        evidence = settled.read(chosen)
    services, outside = _read_services(chosen), _read_outside(chosen)
    mentioned = {saga_id for _, saga_ids in services.mentions() for saga_id in saga_ids if saga_id not in known}
    named = {saga_id for saga_id in chain(*(read.by_saga or () for read in outside)) if saga_id not in known}
    unknown = mentioned | {saga_id for saga_id in named if saga_id}
    with snapshot(ALIAS):
        newer = sagas.read_only(unknown)
        made = repairs.read(since=began_at)
        of_orders = order_changes.read(services.checkout_of_changes, since=began_at)
        evidence |= settled.read_of_changes(of_orders.checkout_of)
        gone = sagas.read_purged(unknown, since=began_at)
    return Books(known, newer, logs, services, outside, made, of_orders, gone, evidence, chosen.is_everything)


def _read_services(chosen: Selection) -> ServiceBooks:
    remembered: defaultdict[str, dict[UUID, Remembered]] = defaultdict(dict)
    rows: list[RowsRead] = []
    checked: list[Checked] = []
    for service, participant in participants().items():
        if participant.kept_in is not None:
            continue  # the ledger of a simulation is in memory
        audit = participant.audit
        with snapshot(service):
            for step, by_saga in ledgers.read(participant.ledger, service, chosen).items():
                remembered[step] |= by_saga
            rows += (RowsRead(each, each.read(chosen)) for each in audit.rows)
            if chosen.is_everything and audit.check_everything:
                checked += audit.check_everything()
    return ServiceBooks(remembered, rows, checked)


def _read_outside(chosen: Selection) -> list[BooksRead]:
    audits = [participant.audit for participant in participants().values()]
    return [BooksRead(books, _read_books(books, chosen)) for audit in audits for books in audit.books]


def _read_books(books: AuditedBooks[M], chosen: Selection) -> Mapping[UUID | None, Sequence[M]] | None:
    if not books.can_be_read():
        return None
    found: defaultdict[UUID | None, list[M]] = defaultdict(list)
    with snapshot(books.name):
        for made in books.read(chosen):
            found[keys.saga_of(made.keys[0])].append(made)
    return dict(found)
