"""What the demonstration changes on placed orders: staff dispatch and refund one, its customer cancels another."""

import uuid
from typing import Any

from deploy.demo.client import Client, Refused

AMOUNT_MINOR = 100
ATTEMPTS = 6
UNDECIDED = "processing"


def change_orders(customer: Client, staff: Client, checkout_ids: list[str]) -> dict[str, str]:
    """Change the first two placed orders of these checkouts. Return the status of each change by what was done."""
    placed = [checkout for checkout in map(customer.checkout, checkout_ids) if checkout["status"] == "confirmed"]
    sent, cancelled, *_ = [checkout["order_id"] for checkout in placed]
    back = {"amount": {"amount_minor": AMOUNT_MINOR, "currency": placed[0]["total"]["currency"]}, "reason": "scratched"}
    return {
        "dispatched by staff": _status(staff, f"/orders/{sent}/dispatches", {}),
        "refunded in part by staff": _status(staff, f"/orders/{sent}/refunds", back),
        "cancelled by its customer": _status(customer, f"/orders/{cancelled}/cancel", {}),
    }


def _status(who: Client, path: str, body: dict[str, Any]) -> str:
    """Ask for the change, again with the same key while it is not decided, and return its status or refusal."""
    key, status = str(uuid.uuid4()), UNDECIDED
    for _ in range(ATTEMPTS):
        if status == UNDECIDED:
            try:
                status = str(who.change(path, body, key=key)["status"])
            except Refused as refused:
                status = f"refused: {refused}"
    return status
