"""Values that several contracts share."""

import unicodedata
from dataclasses import dataclass
from typing import NewType

LARGEST_AMOUNT_MINOR = 2**53 - 1
"""The largest amount: every JSON reader reads whole numbers up to it exactly (RFC 8259, section 6)."""

Encrypted = NewType("Encrypted", str)
"""A secret encrypted at the edge. Only the service that uses it decrypts it."""


def nfc(sku: str) -> str:
    """Return the SKU in Unicode's form NFC, as every service stores it: equal texts then have equal characters."""
    return unicodedata.normalize("NFC", sku)


@dataclass(frozen=True)
class Line:
    """One line of an order: `quantity` whole units of `sku`, `unit_price_minor` each in the order's currency."""

    sku: str
    quantity: int
    unit_price_minor: int

    @property
    def total_minor(self) -> int:
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True)
class SkuQuantity:
    """Whole units of one SKU, at least one."""

    sku: str
    quantity: int


@dataclass(frozen=True)
class Address:
    """The address that a parcel is sent to; `country` is ISO 3166-1 alpha-2."""

    name: str
    line1: str
    city: str
    postcode: str
    country: str
    line2: str = ""
