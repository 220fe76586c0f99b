"""Checkouts as plain values, in the shapes of `AcceptedCheckout` and `CheckoutState`.

Those serializers would create their fields anew for each checkout, which takes ten times as long.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from orders.api.placement import Accepted
from orders.api.progress import Checkout


def as_accepted(accepted: Accepted | Checkout) -> dict[str, Any]:
    """Convert a checkout to the shape of `AcceptedCheckout`."""
    return {
        "id": str(accepted.id),
        "order_id": str(accepted.order_id),
        "status": accepted.status,
        "total": accepted.total,
        "created_at": _time(accepted.created_at),
    }


def as_state(checkout: Checkout) -> dict[str, Any]:
    """Convert a checkout to the shape of `CheckoutState`."""
    return {
        **as_accepted(checkout),
        "steps": [
            {"name": step.name, "status": step.status, "since": _time(step.since), "attempts": step.attempts}
            for step in checkout.steps
        ],
        "failure": asdict(checkout.failure) if checkout.failure else None,
        "decided_at": _time(checkout.decided_at),
    }


def _time(moment: datetime | None) -> str | None:
    """Format a time as REST framework does."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
