"""Checks that an order has one change under way at most, and that this change's saga has not ended (R2)."""

from collections import Counter

from orchestration.contracts.audit import ChangeFacts
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.snapshot import Books


def check(books: Books, findings: Findings) -> None:
    """Check R2 for every order and change."""
    changes = books.services.of(ChangeFacts)
    findings.look_at("R2", len(books.services.orders) + len(changes))
    for saga_id, change in changes.items():
        if change.is_open and books.has_ended(saga_id):
            findings.violated("R2", "The change is open, and its saga has ended.", saga=saga_id, order=change.order_id)
    for order_id, count in Counter(change.order_id for change in changes.values() if change.is_open).items():
        if count > 1:
            findings.violated("R2", f"{count} changes of the order are open.", order=order_id)
