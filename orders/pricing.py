"""Prices a cart, by the catalogue's prices only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from orchestration.contracts.values import LARGEST_AMOUNT_MINOR, Line
from orders.coupons import discount_minor
from orders.models import Coupon
from orders.selectors import prices_by_sku


class CartError(Exception):
    """The cart cannot be bought as it is. `lines` are the indexes, from 0, of the invalid lines."""

    code: ClassVar[str]

    def __init__(self, *lines: int) -> None:
        super().__init__(f"{self.__doc__} Lines {lines}.")
        self.lines = lines


class UnknownProduct(CartError):
    """Not sold here."""

    code = "unknown_sku"


class CurrencyMismatch(CartError):
    """Priced in another currency than the first line."""

    code = "currency_mismatch"


class TotalTooLarge(Exception):
    """The total is more than 9007199254740991 minor units, the largest number that JSON carries exactly."""

    code: ClassVar[str] = "total_too_large"


class PriceChanged(Exception):
    """The total is not what the customer expected to pay; `actual` is what it is now."""

    code: ClassVar[str] = "price_changed"

    def __init__(self, *, expected: "Total", actual: "Total") -> None:
        super().__init__(f"expected {expected}, is {actual}")
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True)
class Total:
    """An amount in minor units of `currency` (ISO 4217)."""

    amount_minor: int
    currency: str


class Priced(Protocol):
    """Anything with a price."""

    @property
    def price_minor(self) -> int: ...

    @property
    def currency(self) -> str: ...

    @property
    def ships(self) -> bool: ...


@dataclass(frozen=True)
class PricedCart:
    """The cart's lines in the order they were given, each with its price, and what is to be paid for them.

    `total` is the sum of the lines less what `coupon` takes off. `ships`: a line needs a parcel.
    """

    lines: tuple[Line, ...]
    total: Total
    discount_minor: int = 0
    coupon: Coupon | None = None
    ships: bool = True


def price_cart(
    lines: Sequence[tuple[str, int]],
    *,
    expected_total: Total | None = None,
    coupon_for: Callable[[str], Coupon] | None = None,
) -> PricedCart:
    """Price `lines`, (SKU, quantity) pairs, at least one, from the catalogue.

    `coupon_for` returns the coupon that the customer uses for a cart in this currency.

    :raises UnknownProduct: naming every line whose SKU is not on sale.
    :raises CurrencyMismatch: naming every line priced in another currency than the first.
    :raises TotalTooLarge: when the sum is above `LARGEST_AMOUNT_MINOR`.
    :raises PriceChanged: when `expected_total` is given and is not the total.
    """
    cart = price_from(prices_by_sku(sku for sku, _ in lines), lines)
    if coupon_for is not None:
        cart = _discounted(cart, coupon_for(cart.total.currency))
    if expected_total is not None and expected_total != cart.total:
        raise PriceChanged(expected=expected_total, actual=cart.total)
    return cart


def price_from(catalogue: Mapping[str, Priced], lines: Sequence[tuple[str, int]]) -> PricedCart:
    """Price `lines` from `catalogue`, prices by SKU. It raises the same errors as `price_cart`."""
    if unknown := [index for index, (sku, _) in enumerate(lines) if sku not in catalogue]:
        raise UnknownProduct(*unknown)
    currencies = [catalogue[sku].currency for sku, _ in lines]
    if foreign := [index for index, currency in enumerate(currencies) if currency != currencies[0]]:
        raise CurrencyMismatch(*foreign)
    priced = tuple(Line(sku, quantity, catalogue[sku].price_minor) for sku, quantity in lines)
    total_minor = sum(line.total_minor for line in priced)
    if total_minor > LARGEST_AMOUNT_MINOR:
        raise TotalTooLarge(TotalTooLarge.__doc__)
    return PricedCart(priced, Total(total_minor, currencies[0]), ships=any(catalogue[sku].ships for sku, _ in lines))


def _discounted(cart: PricedCart, coupon: Coupon) -> PricedCart:
    off = discount_minor(coupon, cart.total.amount_minor)
    total = replace(cart.total, amount_minor=cart.total.amount_minor - off)
    return replace(cart, total=total, discount_minor=off, coupon=coupon)
