"""Checks that sagas have ended, and the effects that ended checkouts leave (Q1, Q2, Q3)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.payments import capture_payment
from orchestration.contracts.shipping import schedule_shipment
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants.sagas import SagaFacts
from orchestration.operators.audit.snapshot import Books
from orchestration.participant.ledger import Status
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Phase


@dataclass(frozen=True)
class Unfinished:
    """The sagas that need not have ended: all (`running`), all parked ones (`parked`), or `these` parked ones."""

    running: bool = False
    parked: bool = False
    these: Collection[UUID] = ()

    def covers(self, saga: SagaFacts) -> bool:
        """Return whether this saga need not have ended."""
        return self.running or (saga.parked and (self.parked or saga.id in self.these))


def check_ends(books: Books, allowed: Unfinished, findings: Findings) -> None:
    """Check Q1 for every saga."""
    for saga in books.sagas.values():
        findings.look_at("Q1")
        if not saga.has_ended and not allowed.covers(saga):
            parked = ", parked" if saga.parked else ""
            findings.violated("Q1", f"The saga has not ended, it is {saga.phase}{parked}.", saga=saga.id)


def check(books: Books, findings: Findings) -> None:
    """Check Q2 and Q3 for checkouts that have ended."""
    for saga in books.ended_checkouts():
        if saga.phase is Phase.COMPLETED:
            findings.look_at("Q2")
            for fault in _faults_of_completed(saga, books):
                findings.violated("Q2", f"The saga is completed, and {fault}.", saga=saga.id, order=saga.order_id)
        else:
            findings.look_at("Q3")
            for step, fault in _leftovers(saga, books):
                message = f"The saga is compensated, and {fault}."
                findings.violated("Q3", message, saga=saga.id, order=saga.order_id, step=step)


def _faults_of_completed(saga: SagaFacts, books: Books) -> Iterator[str]:
    if saga.definition:
        yield from _steps_not_done(saga, saga.definition, books)
    yield from _order_faults(saga, books)
    yield from _lacks(saga, books)
    yield from _disagreements(saga, books)
    yield from _outside_faults_of_completed(saga, books)


def _steps_not_done(saga: SagaFacts, definition: Saga, books: Books) -> Iterator[str]:
    for step in definition.steps:
        row = books.services.row(step.name, saga.id)
        if step.name in saga.skipped:
            if row is not None:
                yield f"{step.name}, which it skips, is {row.status} in its ledger"
        elif row is None or row.status != Status.DONE:
            yield f"{step.name} is {row.status if row else 'missing from its ledger'}"


def _lacks(saga: SagaFacts, books: Books) -> Iterator[str]:
    steps = saga.definition.by_name.keys() - saga.skipped if saga.definition else ()
    for read in books.services.rows:
        if read.of.lacks is None or read.of.action.step not in steps:
            continue
        if lack := read.of.lacks(read.by_saga.get(saga.id), saga.units):
            yield lack


def _disagreements(saga: SagaFacts, books: Books) -> Iterator[str]:
    """Yield what contradicts the order's status: a cancelled order has no units and no parcel, any other keeps them."""
    if (order := books.services.orders.get(saga.id)) is None:
        return
    status = "the order is cancelled" if order.is_cancelled else "the order is not cancelled"
    for read in books.services.rows:
        facts = read.by_saga.get(saga.id)
        if facts is not None and read.of.disagrees and (fault := read.of.disagrees(facts, order.is_cancelled)):
            yield f"{status}, and {fault}"


def _order_faults(saga: SagaFacts, books: Books) -> Iterator[str]:
    order = books.services.orders.get(saga.id)
    if order is None:
        return  # the orders service reports that itself, by `lacks`
    payment, shipment = books.services.payments.get(saga.id), books.services.shipments.get(saga.id)
    if payment and order.authorisation_id != payment.authorisation_id:
        yield "the order names another authorisation than its payment"
    if shipment and order.tracking_number != shipment.tracking_number:
        yield "the order names another parcel than its shipment"


def _outside_faults_of_completed(saga: SagaFacts, books: Books) -> Iterator[str]:
    if books.accounts is not None:
        captures = sum(account.capture_id is not None for account in books.accounts.get(saga.id, ()))
        payment = books.services.payments.get(saga.id)
        is_free = payment is not None and not payment.is_at_the_gateway
        if captures != (0 if is_free or capture_payment.step in saga.skipped else 1):
            yield f"the gateway made {captures} captures"
    if books.parcels is not None:
        numbers = [parcel.tracking_number for parcel in books.parcels.get(saga.id, ()) if parcel.is_live]
        shipment, order = books.services.shipments.get(saga.id), books.services.orders.get(saga.id)
        is_cancelled = order is not None and order.is_cancelled
        if len(numbers) != (0 if is_cancelled or schedule_shipment.step in saga.skipped else 1):
            yield f"the carrier has {len(numbers)} live parcels"
        if shipment and numbers and shipment.tracking_number not in numbers:
            yield "the carrier's parcel is another than its shipment"


def _leftovers(saga: SagaFacts, books: Books) -> Iterator[tuple[str, str]]:
    """Yield what a compensated saga has left behind: (step that made it, sentence)."""
    for read in books.services.rows:
        facts = read.by_saga.get(saga.id)
        if facts is not None and read.of.leftover and (left := read.of.leftover(facts)):
            yield read.of.action.step, left
    for outside in books.outside:
        for left in outside.of.leftovers((outside.by_saga or {}).get(saga.id, ())):
            yield outside.of.action.step, left
