"""Places past orders without HTTP: it starts sagas through the engine."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connections

from deploy.replay.placers import PAYMENT_METHOD, Outcome, Result, address_of, body_of, key_of, username_of
from deploy.replay.plan import CURRENCY, Invoice
from orchestration.api.polling import wait_for
from orchestration.contracts.orders import CheckoutRequested
from orchestration.db import clocks
from orchestration.engine import selectors
from orchestration.engine.engine import KeyInProgress, KeyReused, Origin, start_saga
from orchestration.participant.encryption import encrypt
from orchestration.protocol.states import ENDED, Phase
from orchestration.sagas.checkout import checkout
from orders.pricing import CartError, PriceChanged, Total, price_cart
from orders.selectors import order_of


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
    return Outcome(Result.PLACED, sum(line.total_minor for line in order.lines.all()) if order else 0)


def _hash(body: Mapping[str, object]) -> str:
    """Return the hash that the API computes for the same body, so that both ways treat an invoice as one purchase."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
