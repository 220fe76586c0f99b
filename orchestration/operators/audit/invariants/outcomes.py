"""What ended checkouts have left behind (Q1, Q2, Q3)."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.inventory import reserve_stock
from orchestration.contracts.orders import place_order
from orchestration.contracts.payments import authorise_payment
from orchestration.contracts.shipping import schedule_shipment
from orchestration.contracts.values import nfc
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants.sagas import SagaFacts
from orchestration.operators.audit.snapshot import Books
from orchestration.participant.ledger import Status
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Phase
from orchestration.text.formatting import money


@dataclass(frozen=True)
class Unfinished:
    """Which sagas need not have ended: all of them (`running`), every parked one (`parked`), or these."""

    running: bool = False
    parked: bool = False
    these: Collection[UUID] = ()

    def covers(self, saga: SagaFacts) -> bool:
        """Whether it is no violation that this saga has not ended."""
        return self.running or (saga.parked and (self.parked or saga.id in self.these))


def check_ends(books: Books, allowed: Unfinished, findings: Findings) -> None:
    """Q1, of every saga."""
    for saga in books.sagas.values():
        findings.look_at("Q1")
        if not saga.has_ended and not allowed.covers(saga):
            parked = ", parked" if saga.parked else ""
            findings.violated("Q1", f"The saga has not ended, it is {saga.phase}{parked}.", saga=saga.id)


def check(books: Books, findings: Findings) -> None:
    """Q2 and Q3, of checkouts that have ended."""
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
    holding = books.services.holdings.get(saga.id)
    if (_in_nfc(holding.live) if holding else {}) != saga.units:
        yield "it does not hold the units that were ordered"
    payment = books.services.payments.get(saga.id)
    if payment is None or not payment.was_captured or payment.is_reversed:
        yield f"its payment is {payment.status if payment else 'missing'}"
    shipment = books.services.shipments.get(saga.id)
    if shipment is None or not shipment.is_live:
        yield f"its shipment is {shipment.status if shipment else 'missing'}"
    yield from _outside_faults_of_completed(saga, books)


def _in_nfc(units: Mapping[str, int]) -> dict[str, int]:
    """The same units by SKUs in one form: a stock row may have kept the form in which it was first written."""
    found = Counter[str]()
    for sku, quantity in units.items():
        found[nfc(sku)] += quantity
    return dict(found)


def _steps_not_done(saga: SagaFacts, definition: Saga, books: Books) -> Iterator[str]:
    for step in definition.steps:
        row = books.services.row(step.name, saga.id)
        if row is None or row.status != Status.DONE:
            yield f"{step.name} is {row.status if row else 'missing from its ledger'}"


def _order_faults(saga: SagaFacts, books: Books) -> Iterator[str]:
    order = books.services.orders.get(saga.id)
    if order is None:
        yield "there is no order"
        return
    payment, shipment = books.services.payments.get(saga.id), books.services.shipments.get(saga.id)
    if payment and order.authorisation_id != payment.authorisation_id:
        yield "the order names another authorisation than its payment"
    if shipment and order.tracking_number != shipment.tracking_number:
        yield "the order names another parcel than its shipment"


def _outside_faults_of_completed(saga: SagaFacts, books: Books) -> Iterator[str]:
    if books.accounts is not None:
        captures = sum(account.capture_id is not None for account in books.accounts.get(saga.id, ()))
        payment = books.services.payments.get(saga.id)
        if captures != (0 if payment and not payment.is_at_the_gateway else 1):
            yield f"the gateway made {captures} captures"
    if books.parcels is not None:
        numbers = [parcel.tracking_number for parcel in books.parcels.get(saga.id, ()) if parcel.is_live]
        if len(numbers) != 1:
            yield f"the carrier has {len(numbers)} live parcels"
        shipment = books.services.shipments.get(saga.id)
        if shipment and numbers and shipment.tracking_number not in numbers:
            yield "the carrier's parcel is another than its shipment"


def _leftovers(saga: SagaFacts, books: Books) -> Iterator[tuple[str, str]]:
    """What a compensated saga has left behind, by the step that made it."""
    if saga.id in books.services.orders:
        yield place_order.step, "there is an order"
    holding = books.services.holdings.get(saga.id)
    if holding and holding.live:
        yield reserve_stock.step, "it still holds units"
    payment = books.services.payments.get(saga.id)
    if payment and not payment.is_reversed:
        yield authorise_payment.step, f"its payment is {payment.status}"
    shipment = books.services.shipments.get(saga.id)
    if shipment and shipment.is_live:
        yield schedule_shipment.step, f"its shipment is {shipment.status}"
    accounts = (books.accounts or {}).get(saga.id, ())
    kept = Counter[str]()
    for account in accounts:
        kept[account.currency] += account.net_minor
    for currency, net_minor in kept.items():
        if net_minor:
            yield authorise_payment.step, f"the gateway has kept {money(net_minor, currency)}"
    if any(parcel.is_live for parcel in (books.parcels or {}).get(saga.id, ())):
        yield schedule_shipment.step, "the carrier has a live parcel"
