"""Many changes of one order at once: each waits for its turn, and asks for it only a few times."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from orchestration.contracts.order_changes import ChangeKind
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.states import Kind
from orders.models import Order
from tests.support.order_changes import start
from tests.support.shop import Shop

ASKED_AGAIN_EVERY = timedelta(seconds=7)
"""A waiting saga asks again within 15 s with full jitter: every 7.5 s on average."""


@dataclass(frozen=True)
class ChangesFound:
    """The result of refunds of one minor unit each: how they ended, what was given back, and how often they were sent.

    `sent_at_most`: twice each, to begin and when the lock is granted, and once for each `ASKED_AGAIN_EVERY` of waiting.
    """

    ends: dict[str, int]
    refused: dict[str, int]
    refunded_minor: int
    sent: float
    sent_at_most: float


def change_one_order(changes: int, *, patience: timedelta) -> ChangesFound:
    """Place an order, start all changes of it, and wait until they have ended. A worker runs."""
    shop = Shop()
    checkout_id = shop.place(basket=[(shop.sku, changes)])
    shop.ended(checkout_id, seconds=patience.total_seconds())
    saga_ids = [start(checkout_id, ChangeKind.REFUND, amount_minor=1) for _ in range(changes)]
    ends = shop.ended(*saga_ids, seconds=patience.total_seconds())
    sagas = SagaInstance.objects.in_bulk(saga_ids)
    waited = _waited(sagas)
    return ChangesFound(
        ends=dict(Counter(ends)),
        refused=dict(Counter(saga.failure["code"] for saga in sagas.values() if saga.failure)),
        refunded_minor=Order.objects.get(saga_id=checkout_id).refunded_minor,
        sent=sum(saga.token for saga in sagas.values()) / changes,
        sent_at_most=2 + sum(waited, timedelta()) / changes / ASKED_AGAIN_EVERY,
    )


def _waited(sagas: dict[UUID, SagaInstance]) -> list[timedelta]:
    """Return how long each saga waited for its first step, which takes the lock."""
    opened = SagaLogEntry.objects.filter(saga__in=sagas, step="open_change", kind__in=(Kind.DONE, Kind.REFUSED))
    return [at - sagas[saga_id].created_at for saga_id, at in opened.values_list("saga_id", "at")]
