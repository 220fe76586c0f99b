"""The orders that the demonstration places: pure, and the same every time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SEED = 20_240_229
MAX_LINES = 3
MAX_QUANTITY = 3


@dataclass(frozen=True)
class Kind:
    """A kind of order: its share in percent, and what is special about it."""

    name: str
    percent: int
    payment_method: str = "tok_ok"
    line2: str = ""  # of the address: the sandbox carrier looks for its test tokens there
    scarce: bool = False


GOOD = Kind("good", 77)
LEFT_OVER = Kind("capture refused", 1, payment_method="tok_capture_declined")
"""Placed and never paid: these orders are parked, so that a visitor finds something to resolve."""
KINDS = (
    GOOD,
    Kind("declined card", 7, payment_method="tok_declined"),
    Kind("scarce article", 12, scarce=True),
    Kind("carrier timeout", 3, line2="carrier_timeout_after"),
    LEFT_OVER,
)


@dataclass(frozen=True)
class Order:
    """One order to place: its kind and the body of its request."""

    kind: str
    body: dict[str, Any]


def orders(count: int, *, skus: Sequence[str], scarce_sku: str) -> list[Order]:
    """Plan so many orders with the kinds mixed. Each kind occurs at least once."""
    chance = random.Random(SEED)
    special = [kind for kind in KINDS[1:] for _ in range(max(1, count * kind.percent // 100))]
    kinds = (special + [GOOD] * (count - len(special)))[:count]
    chance.shuffle(kinds)
    plenty = [sku for sku in skus if sku != scarce_sku]
    return [_order(kind, chance, plenty, scarce_sku) for kind in kinds]


def _order(kind: Kind, chance: random.Random, plenty: Sequence[str], scarce_sku: str) -> Order:
    chosen = [scarce_sku] if kind.scarce else chance.sample(plenty, chance.randint(1, min(MAX_LINES, len(plenty))))
    address = {
        "name": "Ada Example",
        "line1": "1 Market Street",
        "line2": kind.line2,
        "city": "London",
        "postcode": "EC1A 1BB",
        "country": "GB",
    }
    lines = [{"sku": sku, "quantity": 1 if kind.scarce else chance.randint(1, MAX_QUANTITY)} for sku in chosen]
    body = {"lines": lines, "shipping_address": address, "payment_method": kind.payment_method}
    return Order(kind.name, body)
