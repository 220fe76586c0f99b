"""Where an old order goes in again, and what came of it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Protocol

from deploy.replay.plan import CURRENCY, Invoice
from orchestration.contracts.values import Address

GUEST = "guest"
PAYMENT_METHOD = "tok_ok"
"""The sandbox gateway's token of a card that pays."""


class Result(StrEnum):
    PLACED = "placed"
    REFUSED = "refused"
    UNDECIDED = "undecided"
    """Nobody could say in time. Replaying the file again finds out: it is the same purchase."""


@dataclass(frozen=True)
class Outcome:
    """`total_minor`: what the lines of the order, as it stands now, add up to; 0 without an order."""

    result: Result
    total_minor: int = 0
    code: str = ""


class Door(Protocol):
    """A way into the shop."""

    def place(self, invoice: Invoice) -> Outcome:
        """Place the order and wait until it is decided; a second time finds the first."""


def key_of(invoice: Invoice) -> str:
    """The idempotency key of an invoice, so that a file replayed again places nothing twice."""
    return f"invoice-{invoice.number}"


def username_of(invoice: Invoice) -> str:
    """Whose order it is; all who left no CustomerID are one guest."""
    return f"retail-{invoice.customer or GUEST}"


def address_of(invoice: Invoice) -> Address:
    """Where the parcel goes. The file names a country and no street."""
    return Address(
        name=f"Customer {invoice.customer or GUEST}",
        line1=f"Invoice {invoice.number}",
        city="Unknown",
        postcode="Unknown",
        country=invoice.country,
    )


def body_of(invoice: Invoice) -> dict[str, object]:
    """The invoice as `POST /checkouts` wants it."""
    return {
        "lines": [{"sku": line.sku, "quantity": line.quantity} for line in invoice.lines],
        "shipping_address": asdict(address_of(invoice)),
        "payment_method": PAYMENT_METHOD,
        "expected_total": {"amount_minor": invoice.total_minor, "currency": CURRENCY},
    }
