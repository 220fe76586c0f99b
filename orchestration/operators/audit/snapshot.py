"""All books side by side, each database read from one snapshot of its own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from uuid import UUID

from inventory import audit as stock
from inventory.models import Ledger as InventoryLedger
from orchestration.db import clocks
from orchestration.models import ALIAS
from orchestration.operators.audit.invariants import ledgers, repairs, saga_logs, sagas, settled
from orchestration.operators.audit.invariants.ledgers import Remembered
from orchestration.operators.audit.invariants.repairs import Repairs
from orchestration.operators.audit.invariants.sagas import SagaFacts
from orchestration.operators.audit.invariants.settled import Evidence
from orchestration.operators.audit.read_only import snapshot
from orchestration.participant.selection import EVERYTHING, Selection
from orders import audit as orders
from orders.models import Ledger as OrdersLedger
from payments import audit as payments
from payments.gateways.choice import gateway as chosen_gateway
from payments.gateways.sandbox import audit as gateway
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.models import Ledger as PaymentsLedger
from shipping import audit as shipments
from shipping.carriers.choice import carrier as chosen_carrier
from shipping.carriers.sandbox import audit as carrier
from shipping.carriers.sandbox.carrier import SandboxCarrier
from shipping.models import Ledger as ShippingLedger


@dataclass(frozen=True)
class ServiceBooks:
    """What the four services say, by saga."""

    ledgers: ledgers.Ledgers
    stocks: list[stock.StockFacts]
    """Every SKU; none when the books are not whole."""
    holdings: Mapping[UUID, stock.Holding]
    orders: Mapping[UUID, orders.OrderFacts]
    payments: Mapping[UUID, payments.PaymentFacts]
    shipments: Mapping[UUID, shipments.ShipmentFacts]

    def row(self, step: str, saga_id: UUID) -> Remembered | None:
        """A ledger row."""
        return self.ledgers.get(step, {}).get(saga_id)

    def mentions(self) -> Iterator[tuple[str, Iterable[UUID]]]:
        """What kind of row mentions which sagas."""
        yield from ((f"{step} ledger row", rows) for step, rows in self.ledgers.items())
        yield "reservation or movement", self.holdings
        yield "order", self.orders
        yield "payment", self.payments
        yield "shipment", self.shipments


@dataclass(frozen=True)
class Books:
    """What everybody says. Sagas were read first: what one that had ended then left behind is all there."""

    sagas: Mapping[UUID, SagaFacts]
    newer: Mapping[UUID, SagaFacts]
    """Sagas that began while the other books were read."""
    logs: Mapping[UUID, saga_logs.LogFacts]
    services: ServiceBooks
    accounts: gateway.Accounts | None
    """None when the gateway is not the sandbox; the same for `parcels` and the carrier."""
    parcels: carrier.Parcels | None
    repairs: Repairs = field(default_factory=Repairs)
    purged: frozenset[UUID] = frozenset()
    """Sagas that others mention and that were purged, and those purged while the books were read."""
    settled: Evidence = field(default_factory=dict)
    are_whole: bool = True
    """Whether these are all sagas, so that sums over them mean something."""

    def saga(self, saga_id: UUID | None) -> SagaFacts | None:
        """A saga, also one that began meanwhile."""
        return (self.sagas.get(saga_id) or self.newer.get(saga_id)) if saga_id else None

    def has_ended(self, saga_id: UUID | None) -> bool:
        """Whether the saga had ended before the other books were read, and no repair is at work on it."""
        saga = self.sagas.get(saga_id) if saga_id else None
        return saga is not None and saga.has_ended and saga_id not in self.repairs.under_way

    def is_unfinished(self, saga_id: UUID | None) -> bool:
        """Whether there is such a saga and it may still change its books."""
        return self.saga(saga_id) is not None and not self.has_ended(saga_id)

    def ended_checkouts(self) -> Iterator[SagaFacts]:
        """Checkouts that had ended before the other books were read."""
        return (saga for saga in self.sagas.values() if saga.is_checkout and self.has_ended(saga.id))


def read(chosen: Selection = EVERYTHING) -> Books:
    """Read every database, one after the other.

    Orchestration comes first, and again at the end for sagas that were not there then; the outside comes after the
    services, which write down what they will ask for before they ask.

    :raises CannotAudit: when a database is away or lacks a table.
    """
    began_at = clocks.now()
    with snapshot(ALIAS):
        known = sagas.read(chosen)
        logs = saga_logs.read(known, chosen)
        evidence = settled.read(chosen)
    services = _read_services(chosen)
    accounts, parcels = _read_gateway(chosen), _read_carrier(chosen)
    mentioned = {saga_id for _, saga_ids in services.mentions() for saga_id in saga_ids if saga_id not in known}
    outside = {saga_id for saga_id in chain(accounts or (), parcels or ()) if saga_id and saga_id not in known}
    with snapshot(ALIAS):
        newer = sagas.read_only(mentioned | outside)
        made = repairs.read(since=began_at)
        gone = sagas.read_purged(mentioned | outside, since=began_at)
    return Books(known, newer, logs, services, accounts, parcels, made, gone, evidence, chosen.is_everything)


def _read_services(chosen: Selection) -> ServiceBooks:
    with snapshot("orders"):
        placed, order_rows = ledgers.read(OrdersLedger, chosen), orders.read(chosen)
    with snapshot("inventory"):
        reserved, holdings = ledgers.read(InventoryLedger, chosen), stock.read_holdings(chosen)
        stocks = stock.read() if chosen.is_everything else []
    with snapshot("payments"):
        paid, payment_rows = ledgers.read(PaymentsLedger, chosen), payments.read(chosen)
    with snapshot("shipping"):
        shipped, shipment_rows = ledgers.read(ShippingLedger, chosen), shipments.read(chosen)
    remembered = placed | reserved | paid | shipped
    return ServiceBooks(remembered, stocks, holdings, order_rows, payment_rows, shipment_rows)


def has_sandbox_gateway() -> bool:
    """Whether the gateway's own books can be read."""
    return isinstance(chosen_gateway(), SandboxGateway)


def _read_gateway(chosen: Selection) -> gateway.Accounts | None:
    if not has_sandbox_gateway():
        return None
    with snapshot("gateway"):
        return gateway.read(chosen)


def _read_carrier(chosen: Selection) -> carrier.Parcels | None:
    if not isinstance(chosen_carrier(), SandboxCarrier):
        return None
    with snapshot("carrier"):
        return carrier.read(chosen)
