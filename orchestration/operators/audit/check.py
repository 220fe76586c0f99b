"""An audit: all books read, every invariant held against them."""

from collections import Counter
from collections.abc import Collection
from uuid import UUID

from inventory import audit as stock
from orchestration.contracts.inventory import reserve_stock
from orchestration.contracts.orders import place_order
from orchestration.contracts.payments import authorise_payment, capture_payment
from orchestration.contracts.shipping import schedule_shipment
from orchestration.operators.audit import snapshot as books
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants import (
    compensations,
    effects,
    ledgers,
    money,
    orphans,
    outcomes,
    owners,
    settled,
)
from orchestration.operators.audit.invariants.effects import Effect
from orchestration.operators.audit.invariants.outcomes import Unfinished
from orchestration.operators.audit.snapshot import Books, ServiceBooks
from payments.gateways.sandbox import audit as gateway
from shipping.carriers.sandbox import audit as carrier

EVERY_SAGA_HAS_ENDED = Unfinished()


def audit(allowed: Unfinished = EVERY_SAGA_HAS_ENDED) -> Findings:
    """Read all books and hold every invariant against them; what must be quiet, against ended sagas only.

    :raises CannotAudit: when a database is away or lacks a table.
    """
    findings = Findings()
    check_all(books.read(), allowed, findings)
    findings.violations.sort(key=lambda violation: violation.invariant)
    return findings


def check_all(books: Books, allowed: Unfinished, findings: Findings) -> None:
    """Hold every invariant against these books."""
    _check_each_service(books.services, books.repairs.repaired, findings)
    _check_sagas(books, findings)
    outcomes.check_ends(books, allowed, findings)
    outcomes.check(books, findings)
    money.check_totals(books, findings)
    orphans.check_rows(books, findings)
    _check_gateway(books, findings)
    _check_carrier(books, findings)
    findings.leave_out(books.purged)
    settled.accept(books.settled, findings)


def _check_each_service(services: ServiceBooks, repaired: Collection[UUID], findings: Findings) -> None:
    stock.check(services.stocks, findings)
    stock.check_holdings(services.holdings, findings)
    ledgers.check(services.ledgers, findings)
    captures = {
        saga_id: Effect.REVERSED if payment.is_reversed and saga_id in repaired else Effect.LIVE
        for saga_id, payment in services.payments.items()
        if payment.was_captured
    }
    for action, effect in (
        (reserve_stock, {saga_id: row.effect for saga_id, row in services.holdings.items()}),
        (authorise_payment, {saga_id: row.effect for saga_id, row in services.payments.items()}),
        (schedule_shipment, {saga_id: row.effect for saga_id, row in services.shipments.items()}),
        (place_order, {saga_id: row.effect for saga_id, row in services.orders.items()}),
        (capture_payment, captures),
    ):
        effects.check(action.step, services.ledgers.get(action.step, {}), effect, repaired, findings)


def _check_sagas(books: Books, findings: Findings) -> None:
    for saga_id, log in books.logs.items():
        findings.look_at("A5")
        for fault in log.faults:
            findings.violated("A5", fault, saga=saga_id)
    compensations.check(books, findings)
    owners.check(books, findings)
    gone = Counter(saga.definition_name for saga in books.sagas.values() if saga.definition is None)
    for name, count in sorted(gone.items()):
        findings.cannot_check("A6 Q2 Q3", f"of {count} sagas: this code has no definition {name}")


def _check_gateway(books: Books, findings: Findings) -> None:
    if books.accounts is None:
        findings.cannot_check("A4 Q2 Q3 Q4 Q5 Q6", "at the gateway: it is not the sandbox, whose books can be read")
        return
    gateway.check(books.accounts, findings)
    money.check_gateway(books, books.accounts, findings)
    orphans.check_keys("gateway", books.accounts.items(), books, findings)


def _check_carrier(books: Books, findings: Findings) -> None:
    if books.parcels is None:
        findings.cannot_check("A4 Q2 Q3 Q6", "at the carrier: it is not the sandbox, whose books can be read")
        return
    carrier.check(books.parcels, findings)
    orphans.check_keys("carrier", books.parcels.items(), books, findings)
