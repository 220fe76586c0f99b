"""Turns a cart into a started saga."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db import Error
from django.urls import reverse

from orchestration.api import acceptance
from orchestration.api.acceptance import AcceptedSaga
from orchestration.api.idempotency import KeyReusedProblem
from orchestration.api.json_body import JsonBody
from orchestration.api.problems import FieldError, Problem, ValidationFailed
from orchestration.contracts.coupons import coupon_key
from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.store_credit import credit_of
from orchestration.db import clocks
from orchestration.engine.engine import Origin
from orchestration.participant.encryption import encrypt
from orchestration.participant.participant import ask
from orchestration.participant.refusals import Refusal
from orchestration.sagas.checkout import checkout
from orchestration.text.card_numbers import REFUSED, holds_card_number
from orders import pricing
from orders.api.carts import Cart, read_cart
from orders.api.representations import amount
from orders.coupons import usable_coupon
from orders.models import Coupon


class PriceChanged(Problem):
    """The total is not the one that was expected; `total` is what it is now."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "price_changed"


@dataclass(frozen=True)
class Attempt:
    """One request to check out. All requests with the same key are one purchase, with the first one's `checkout_id`."""

    checkout_id: UUID
    customer_id: str
    idempotency_key: str
    body: JsonBody


@dataclass(frozen=True)
class Accepted(AcceptedSaga[CheckoutRequested]):
    """An accepted checkout, as the customer requested it."""

    @property
    def order_id(self) -> UUID:
        return self.request.order_id

    @property
    def status(self) -> str:
        return "processing"

    @property
    def total(self) -> dict[str, Any]:
        return amount(self.request.total_minor, self.request.currency)


def accept(attempt: Attempt, *, now: datetime) -> Accepted:
    """Start the saga of this purchase, or find the one that an earlier attempt started.

    :raises Problem: when the cart cannot be bought, or the key was used for another purchase.
    """
    accepted = acceptance.accept(
        acceptance.StartAttempt(
            checkout,
            attempt.checkout_id,
            Origin(attempt.customer_id, attempt.idempotency_key, attempt.body.sha256),
            reused=_key_reused,
        ),
        lambda: _priced_request(attempt, now),
        now=now,
    )
    return Accepted(accepted.id, accepted.request, accepted.created_at)


def _key_reused(checkout_id: UUID) -> KeyReusedProblem:
    location = {"Location": reverse("checkout", args=[checkout_id])}
    return KeyReusedProblem(headers=location, checkout_id=str(checkout_id))


def _priced_request(attempt: Attempt, now: datetime) -> CheckoutRequested:
    cart = read_cart(attempt.body.value)
    priced = _priced(cart, attempt.customer_id, now)
    credit_minor = _credit(cart, priced, attempt.customer_id)
    pays_by_card = priced.total.amount_minor > credit_minor
    _check_is_complete(cart, pays_by_card=pays_by_card, ships=priced.ships)
    coupon = priced.coupon
    return CheckoutRequested(
        order_id=clocks.new_id(now),
        customer_id=attempt.customer_id,
        idempotency_key=attempt.idempotency_key,
        lines=priced.lines,
        total_minor=priced.total.amount_minor,
        currency=priced.total.currency,
        placed_at=now,
        payment_method=encrypt(cart.payment_method) if pays_by_card else None,
        shipping_address=cart.shipping_address,
        coupon=coupon.code if coupon else "",
        coupon_key=coupon_key(coupon.code, attempt.customer_id) if coupon and coupon.once_per_customer else "",
        discount_minor=priced.discount_minor,
        credit_minor=credit_minor,
        ships=priced.ships,
    )


def _credit(cart: Cart, priced: pricing.PricedCart, customer_id: str) -> int:
    """Return the store credit to spend, in minor units. If payments cannot answer now, the saga checks it."""
    credit_minor = min(cart.use_credit, priced.total.amount_minor)
    with suppress(Error):
        if credit_minor and ask(credit_of, customer_id).get(priced.total.currency, 0) < credit_minor:
            raise ValidationFailed(
                errors=[FieldError("/use_credit", "insufficient", "The store credit is not enough.")]
            )
    return credit_minor


def _check_is_complete(cart: Cart, *, pays_by_card: bool, ships: bool) -> None:
    needed = {"/payment_method": pays_by_card and not cart.payment_method}
    needed["/shipping_address"] = ships and cart.shipping_address is None
    if missing := [pointer for pointer, is_missing in needed.items() if is_missing]:
        raise ValidationFailed(errors=[FieldError(each, "required", "This field is required.") for each in missing])


def _priced(cart: Cart, customer_id: str, now: datetime) -> pricing.PricedCart:
    def coupon_for(currency: str) -> Coupon:
        return usable_coupon(cart.coupon, customer_id=customer_id, currency=currency, now=now)

    try:
        return pricing.price_cart(
            cart.lines, expected_total=cart.expected_total, coupon_for=coupon_for if cart.coupon else None
        )
    except Refusal as refusal:
        error = FieldError("/coupon", refusal.code, refusal.__doc__ or refusal.code)
        raise ValidationFailed(errors=[error]) from refusal
    except pricing.CartError as error:
        raise ValidationFailed(errors=[_line_error(error, cart, line) for line in error.lines]) from error
    except pricing.TotalTooLarge as error:
        raise ValidationFailed(errors=[FieldError("/lines", error.code, str(error))]) from error
    except pricing.PriceChanged as error:
        field = FieldError("/expected_total", error.code, "This is not the total.")
        raise PriceChanged(errors=[field], total=amount(error.actual.amount_minor, error.actual.currency)) from error


def _line_error(error: pricing.CartError, cart: Cart, line: int) -> FieldError:
    """Return the error of a line. An unknown SKU that looks like a card number is reported as a card number."""
    pointer = f"/lines/{line}/sku"
    if isinstance(error, pricing.UnknownProduct) and holds_card_number(cart.lines[line][0]):
        return FieldError(pointer, "card_number", REFUSED)
    return FieldError(pointer, error.code, error.__doc__ or error.code)
