"""Checkouts as plain values, in the shapes of `AcceptedCheckout` and `CheckoutState`.

Those serializers would create their fields anew for each checkout, which takes ten times as long.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from orchestration.engine.selectors import StepProgress
from orders.api.placement import Accepted
from orders.api.progress import Checkout


def as_accepted(accepted: Accepted | Checkout) -> dict[str, Any]:
    """Convert a checkout to the shape of `AcceptedCheckout`."""
    return {
        "id": str(accepted.id),
        "order_id": str(accepted.order_id),
        "status": accepted.status,
        "total": accepted.total,
        "created_at": as_time(accepted.created_at),
    }


def as_state(checkout: Checkout) -> dict[str, Any]:
    """Convert a checkout to the shape of `CheckoutState`."""
    return {
        **as_accepted(checkout),
        "discount": checkout.discount,
        "credit": checkout.credit,
        "card": checkout.card,
        "steps": as_steps(checkout.steps),
        "failure": asdict(checkout.failure) if checkout.failure else None,
        "decided_at": as_time(checkout.decided_at),
    }


def as_steps(steps: Iterable[StepProgress]) -> list[dict[str, Any]]:
    """Convert steps to the shape of `StepProgress`."""
    return [
        {"name": step.name, "status": step.status, "since": as_time(step.since), "attempts": step.attempts}
        for step in steps
    ]


def as_time(moment: datetime | None) -> str | None:
    """Format a time as REST framework does."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
