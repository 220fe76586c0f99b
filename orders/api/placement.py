"""Turns a cart into a started saga."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.urls import reverse
from rest_framework.exceptions import ValidationError

from orchestration.api import idempotency
from orchestration.api.json_body import JsonBody
from orchestration.api.problems import FieldError, Problem, ValidationFailed
from orchestration.contracts.codec import decode
from orchestration.contracts.orders import CheckoutRequested
from orchestration.db import clocks
from orchestration.engine import admission, engine, selectors
from orchestration.participant.encryption import encrypt
from orchestration.sagas.checkout import checkout
from orchestration.text.card_numbers import REFUSED, holds_card_number
from orders import pricing
from orders.api.carts import Cart, read_cart
from orders.api.representations import amount

BUSY_FOR_S = 10
"""The value of `Retry-After` in seconds: a backlog shrinks by a few hundred orders in that time."""


class PriceChanged(Problem):
    """The total is not the one that was expected; `total` is what it is now."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "price_changed"


class TooBusy(Problem):
    """More orders are under way than this shop accepts at once. Send the same request, with the same key, later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "too_busy"


@dataclass(frozen=True)
class Attempt:
    """One request to check out. All requests with the same key are one purchase, with the first one's `checkout_id`."""

    checkout_id: UUID
    customer_id: str
    idempotency_key: str
    body: JsonBody


@dataclass(frozen=True)
class Accepted:
    """An accepted checkout, as the customer requested it. It never changes."""

    id: UUID
    request: CheckoutRequested

    @property
    def order_id(self) -> UUID:
        return self.request.order_id

    @property
    def status(self) -> str:
        return "processing"

    @property
    def total(self) -> dict[str, Any]:
        return amount(self.request.total_minor, self.request.currency)

    @property
    def created_at(self) -> datetime:
        return self.request.placed_at


def accept(attempt: Attempt, *, now: datetime) -> Accepted:
    """Start the saga of this purchase, or find the one that an earlier attempt started.

    Most attempts are the first one, so an earlier one is looked for only after the start fails.

    :raises Problem: when the cart cannot be bought, or the key was used for another purchase.
    """
    try:
        return _start(attempt, now)
    except (Problem, ValidationError, _StartedBefore):
        if accepted := _accepted_before(attempt):
            return accepted
        raise


class _StartedBefore(Exception):
    """The saga of this purchase exists already."""


def _accepted_before(attempt: Attempt) -> Accepted | None:
    instance = selectors.saga_by_key(attempt.customer_id, attempt.idempotency_key)
    if instance is None:
        return None
    if instance.request_hash != attempt.body.sha256:
        raise idempotency.KeyReusedProblem(
            headers={"Location": reverse("checkout", args=[instance.id])}, checkout_id=str(instance.id)
        )
    return Accepted(instance.id, decode(CheckoutRequested, instance.request))


def _start(attempt: Attempt, now: datetime) -> Accepted:
    if admission.is_full():
        raise TooBusy(headers={"Retry-After": str(BUSY_FOR_S)})
    request = _priced_request(attempt, now)
    origin = engine.Origin(attempt.customer_id, attempt.idempotency_key, attempt.body.sha256)
    try:
        started = engine.start_saga(checkout, request, saga_id=attempt.checkout_id, origin=origin, now=now)
    except engine.KeyReused as error:
        raise idempotency.KeyReusedProblem from error
    except engine.KeyInProgress as error:
        raise idempotency.KeyInProgressProblem(headers={"Retry-After": "1"}) from error
    if not started.created:
        raise _StartedBefore
    return Accepted(started.saga_id, request)


def _priced_request(attempt: Attempt, now: datetime) -> CheckoutRequested:
    cart = read_cart(attempt.body.value)
    priced = _priced(cart)
    return CheckoutRequested(
        order_id=clocks.new_id(now),
        customer_id=attempt.customer_id,
        idempotency_key=attempt.idempotency_key,
        lines=priced.lines,
        total_minor=priced.total.amount_minor,
        currency=priced.total.currency,
        payment_method=encrypt(cart.payment_method),
        shipping_address=cart.shipping_address,
        placed_at=now,
    )


def _priced(cart: Cart) -> pricing.PricedCart:
    try:
        return pricing.price_cart(cart.lines, expected_total=cart.expected_total)
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
