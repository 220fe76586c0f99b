"""Places past orders and gives units back without HTTP: it starts sagas through the engine."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connections

from deploy.replay.placers import (
    CLERK,
    PAYMENT_METHOD,
    Outcome,
    Result,
    address_of,
    body_of,
    change_body_of,
    key_of,
    username_of,
)
from deploy.replay.plan import CURRENCY, CancellationInvoice, Invoice, units_of
from orchestration.api.polling import wait_for
from orchestration.api.problems import Problem
from orchestration.contracts.order_changes import ChangeKind
from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.values import SkuQuantity
from orchestration.db import clocks
from orchestration.engine import selectors
from orchestration.engine.engine import KeyInProgress, KeyReused, Origin, start_saga
from orchestration.participant.encryption import encrypt
from orchestration.protocol.states import ENDED, Phase
from orchestration.sagas.checkout import checkout
from orders.api.access import CUSTOMER, Access
from orders.api.change_bodies import ChangeAsked
from orders.api.change_progress import FAILED, decided_change
from orders.api.change_start import ChangeAttempt, start_change
from orders.models import Order
from orders.pricing import CartError, PriceChanged, Total, price_cart
from orders.selectors import order_of, order_with_lines


@dataclass(frozen=True)
class EnginePlacer:
    """Starts sagas in this process; workers elsewhere drive them. `customers`: users by username."""

    customers: Mapping[str, User]
    patience: timedelta

    def place(self, invoice: Invoice) -> Outcome:
        """Place the order and wait until it is decided. A repeated call finds the order of the first call."""
        try:
            saga_id = self._start(invoice, now=clocks.now())
        except (CartError, PriceChanged) as refused:
            return Outcome(Result.REFUSED, code=refused.code)
        except KeyReused:
            return Outcome(Result.REFUSED, code="idempotency_key_reused")
        except KeyInProgress:
            return Outcome(Result.UNDECIDED, code="idempotency_key_in_progress")
        return wait_for(lambda: _decided(saga_id), self.patience) or Outcome(Result.UNDECIDED)

    def give_back(self, cancellation: CancellationInvoice, order_id: str) -> Outcome:
        """Cancel the placed order, or refund units of it, and wait until that is decided.

        A repeated call finds the change of the first call.
        """
        with _connections_given_back():
            order = order_with_lines(UUID(order_id))
            assert order is not None  # it was placed
        try:
            change_id = _start_change(cancellation, order, now=clocks.now())
        except Problem as refused:
            return Outcome(Result.REFUSED, code=str(refused.code))
        return wait_for(lambda: _given_back(order, change_id), self.patience) or Outcome(Result.UNDECIDED)

    def _start(self, invoice: Invoice, *, now: datetime) -> UUID:
        origin = Origin(
            customer_id=str(self.customers[username_of(invoice)].pk),
            idempotency_key=key_of(invoice),
            request_hash=_hash(body_of(invoice)),
        )
        # A thread that holds this connection while it waits for another could cause a deadlock.
        with _connections_given_back():
            request = _request(invoice, origin, now)
        with _connections_given_back():
            return start_saga(checkout, request, saga_id=clocks.new_id(now), origin=origin, now=now).saga_id


def _request(invoice: Invoice, origin: Origin, now: datetime) -> CheckoutRequested:
    cart = price_cart(
        [(line.sku, line.quantity) for line in invoice.lines],
        expected_total=Total(invoice.total_minor, CURRENCY),
    )
    return CheckoutRequested(
        order_id=clocks.new_id(now),
        customer_id=origin.customer_id,
        idempotency_key=origin.idempotency_key,
        lines=cart.lines,
        total_minor=cart.total.amount_minor,
        currency=cart.total.currency,
        payment_method=encrypt(PAYMENT_METHOD),
        shipping_address=address_of(invoice),
        placed_at=now,
    )


def _start_change(cancellation: CancellationInvoice, order: Order, *, now: datetime) -> UUID:
    """Start the change that the API would start for the same body."""
    kind, person = (ChangeKind.CANCEL, CUSTOMER) if cancellation.is_whole else (ChangeKind.REFUND, CLERK)
    body = change_body_of(cancellation)
    attempt = ChangeAttempt(kind, Access(order, person), clocks.new_id(now), key_of(cancellation), _hash(body))
    units = () if cancellation.is_whole else units_of(cancellation.lines).items()
    asked = ChangeAsked(kind, str(body["reason"]), tuple(SkuQuantity(*each) for each in units))
    with _connections_given_back():
        return start_change(attempt, lambda: asked, now=now).id


def _given_back(order: Order, change_id: UUID) -> Outcome | None:
    with _connections_given_back():
        change = decided_change(order, change_id)
    if change is None:
        return None
    if change.status == FAILED:
        return Outcome(Result.REFUSED, code=change.failure.code if change.failure else "")
    return Outcome(Result.GIVEN_BACK, -(change.amount_minor or 0))


@contextmanager
def _connections_given_back() -> Iterator[None]:
    """Return connections to their pools while waiting: more orders can wait than the pools have connections."""
    try:
        yield
    finally:
        connections.close_all()


def _decided(saga_id: UUID) -> Outcome | None:
    with _connections_given_back():
        return _outcome(saga_id)


def _outcome(saga_id: UUID) -> Outcome | None:
    saga = selectors.saga(saga_id)
    if saga is None or saga.phase not in ENDED:
        return None
    if saga.phase == Phase.COMPENSATED:
        return Outcome(Result.REFUSED, code=(saga.failure or {}).get("code", ""))
    order = order_of(saga.customer_id, saga.order_id) if saga.order_id else None
    if order is None:
        return Outcome(Result.PLACED)
    return Outcome(Result.PLACED, sum(line.total_minor for line in order.lines.all()), order_id=str(order.pk))


def _hash(body: Mapping[str, object]) -> str:
    """Return the hash that the API computes for the same body, so that both ways treat an invoice as one purchase."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
