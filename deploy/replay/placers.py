"""The ways to place a past order again and to give units of it back, and the outcome."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Protocol

from deploy.replay.plan import CURRENCY, CancellationInvoice, Invoice, units_of
from orchestration.contracts.values import Address

GUEST = "guest"
CLERK = "retail-clerk"
"""The username of the member of staff who gives money back."""
PAYMENT_METHOD = "tok_ok"
"""The sandbox gateway's token of a card that pays."""


class Result(StrEnum):
    PLACED = "placed"
    GIVEN_BACK = "given_back"
    """The order was cancelled, or the price of its units was refunded."""
    REFUSED = "refused"
    UNDECIDED = "undecided"
    """There was no outcome in time. A replay of the file finds it: the same invoice is the same purchase."""


@dataclass(frozen=True)
class Outcome:
    """`total_minor`: the sum of the order's lines as stored now, in minor units; 0 without an order.

    For money that was given back it is below zero.
    """

    result: Result
    total_minor: int = 0
    code: str = ""
    order_id: str = field(default="", compare=False)


NOT_PLACED = Outcome(Result.REFUSED, code="order_not_placed")


class Placer(Protocol):
    """A way to place orders in the shop, and to cancel or refund them."""

    def place(self, invoice: Invoice) -> Outcome:
        """Place the order and wait until it is decided. A repeated call finds the order of the first call."""

    def give_back(self, cancellation: CancellationInvoice, order_id: str) -> Outcome:
        """Cancel the placed order, or refund units of it, and wait until that is decided.

        A repeated call finds the change of the first call.
        """


def key_of(invoice: Invoice | CancellationInvoice) -> str:
    """Return the idempotency key of an invoice. It is always the same, so that a repeated replay places nothing
    twice.
    """
    return f"invoice-{invoice.number}"


def username_of(invoice: Invoice) -> str:
    """Return the username of the invoice's customer. All rows without a CustomerID belong to one guest."""
    return f"retail-{invoice.customer or GUEST}"


def address_of(invoice: Invoice) -> Address:
    """Return the parcel's address. The file names only a country, so the street is a placeholder."""
    return Address(
        name=f"Customer {invoice.customer or GUEST}",
        line1=f"Invoice {invoice.number}",
        city="Unknown",
        postcode="Unknown",
        country=invoice.country,
    )


def body_of(invoice: Invoice) -> dict[str, object]:
    """Build the body of `POST /checkouts` for an invoice."""
    return {
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in invoice.lines],
        "shipping_address": asdict(address_of(invoice)),
        "payment_method": PAYMENT_METHOD,
        "expected_total": {"amount_minor": invoice.total_minor, "currency": CURRENCY},
    }


def change_body_of(cancellation: CancellationInvoice) -> dict[str, object]:
    """Build the body of `POST /orders/{id}/cancel` or `/refunds` for a cancellation."""
    reason = f"Invoice {cancellation.number}"
    if cancellation.is_whole:
        return {"reason": reason}
    units = units_of(cancellation.lines)
    return {"reason": reason, "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]}
