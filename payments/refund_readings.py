"""Reads at the gateway how refunds end: a pending refund may fail, and a bank may send back one that had succeeded."""

from collections.abc import Sequence
from datetime import datetime

from orchestration.db.connections import borrowed
from orchestration.participant.later_outcomes import LaterReading
from payments import refund_rows
from payments.gateways.choice import gateway
from payments.gateways.port import RefundStatus
from payments.models import Refund

LIMIT = 500
"""Number of refunds read in one round. Those that have waited longest come first."""


def due(now: datetime) -> Sequence[Refund]:
    """Return refunds whose next reading is due."""
    to_read = Refund.objects.select_related("payment").filter(read_at__lte=now, payment__isnull=False)
    return list(to_read.order_by("read_at")[:LIMIT])


def read(refund: Refund, now: datetime) -> LaterReading:
    """Read the refund's state at the gateway and record it. A refund that the gateway does not show stays as it is."""
    with borrowed("payments"):
        refund_rows.postpone(refund, now=now)
    payment = gateway().look_up(refund.payment.authorisation_id)  # type: ignore[union-attr]  # see `due`
    made = next((each for each in payment.refunds if each.refund_id == refund.gateway_id), None)
    if made is None:
        return LaterReading.UNKNOWN
    if made.status != refund.status:
        refund_rows.note_reading(refund, made.status)
        return LaterReading.SETTLED
    return LaterReading.UNKNOWN if made.status == RefundStatus.PENDING else LaterReading.UNCHANGED
