"""Checks that each order belongs to one saga and to that saga's customer and key (A7)."""

from collections import Counter

from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.snapshot import Books
from orchestration.protocol.deadlocks import key_of_client


def check(books: Books, findings: Findings) -> None:
    """Check A7 for every saga and order. Database constraints already forbid two sagas or two orders for one key."""
    findings.look_at("A7", len(books.sagas))
    replaced = {saga.retry_of for saga in books.sagas.values()}
    sagas_of_order = Counter(
        saga.order_id
        for saga in books.sagas.values()
        if saga.order_id and not saga.is_change and saga.id not in replaced
    )
    for order_id, count in sagas_of_order.items():
        if count > 1:
            findings.violated("A7", f"{count} sagas are for one order.", order=order_id)
    for saga_id, order in books.services.orders.items():
        findings.look_at("A7")
        saga = books.saga(saga_id)
        if saga is None:
            continue  # Q6 reports the orphan
        asked = (saga.order_id, saga.customer_id, key_of_client(saga.idempotency_key))
        if (order.id, order.customer_id, order.idempotency_key) != asked:
            findings.violated(
                "A7", "The order has another id, customer or key than its saga.", saga=saga_id, order=order.id
            )
