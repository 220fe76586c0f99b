"""The state of a checkout as its customer sees it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db import Error

from orchestration.api.problems import Problem
from orchestration.contracts.codec import decode
from orchestration.contracts.orders import CheckoutRequested
from orchestration.engine import bulk_reads, engine, selectors
from orchestration.engine.bulk_reads import Reading
from orchestration.engine.selectors import Logged, StepProgress
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.deadlocks import is_retried
from orchestration.protocol.states import ENDED, Phase
from orchestration.protocol.transitions import TooLate
from orchestration.sagas import definition_of
from orchestration.sagas.checkout import checkout
from orders.api.representations import Amount, amount

CANCELLED = "cancelled"
FINAL = frozenset({"confirmed", "failed", CANCELLED})


class NoSuchCheckout(Problem):
    """You have no such checkout."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class AlreadyPlaced(Exception):
    """The checkout has placed its order: only the order can be cancelled."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(order_id)
        self.order_id = order_id


@dataclass(frozen=True)
class Failure:
    """Why there will be no order: `code` for programs, `detail` for people.

    `order_id` is the earlier order that was placed with the key, if there is one.
    """

    code: str
    detail: str
    order_id: str | None = None


@dataclass(frozen=True)
class Checkout:
    """The current state of a checkout."""

    id: UUID
    order_id: UUID
    status: str
    steps: list[StepProgress]
    failure: Failure | None
    total: Amount
    discount: Amount
    credit: Amount
    card: Amount
    created_at: datetime
    decided_at: datetime | None


def checkout_of(customer_id: str, checkout_id: UUID) -> Checkout:
    """Return one of the customer's checkouts.

    :raises NoSuchCheckout: also when it belongs to another customer.
    """
    reading = _reading(customer_id, checkout_id)
    return _shown(reading, status_of(reading.instance))


def decided(customer_id: str, checkout_id: UUID) -> Checkout | None:
    """Return the checkout if it is decided, else None. Also return None when a database fails: the
    checkout is accepted.
    """
    with suppress(Error):
        reading = _reading(customer_id, checkout_id)
        status = status_of(reading.instance)
        return _shown(reading, status) if status in FINAL else None
    return None


def cancel(customer_id: str, checkout_id: UUID, *, now: datetime) -> None:
    """Cancel the checkout. Do nothing if it is cancelled already, or there will be no order anyway.

    :raises NoSuchCheckout: also when it belongs to another customer.
    :raises AlreadyPlaced: when the order is placed.
    """
    instance = _reading(customer_id, checkout_id).instance
    order_id = decode(CheckoutRequested, instance.request).order_id
    with suppress(Error):  # if orders cannot answer, the attempt to bar the pivot decides
        if selectors.pivot_is_done(instance):
            raise AlreadyPlaced(order_id)
    try:
        cancelled = engine.cancel_saga(instance.id, now=now)
    except TooLate as error:
        raise AlreadyPlaced(order_id) from error
    if instance.phase not in ENDED and cancelled.phase in ENDED and _is_retried(cancelled):
        cancel(customer_id, checkout_id, now=now)  # it has ended meanwhile, and another saga does its work


def status_of(instance: SagaInstance) -> str:
    """Return the public status. A decision is shown at once, also while its consequences are still being
    carried out.
    """
    wanted_off = (instance.failure or {}).get("code") == CANCELLED
    match Phase(instance.phase):
        case Phase.COMPENSATED:
            return CANCELLED if wanted_off else "failed"
        case Phase.COMPENSATING if _is_retried(instance):
            return "processing"
        case Phase.COMPENSATING:
            return "cancelling" if wanted_off else "failed"
        case _ if selectors.pivot_is_done(instance):
            return "confirmed"
        case Phase.BARRING if wanted_off:
            return "cancelling"
        case _:
            return "processing"


def decided_at(
    instance: SagaInstance, status: str, steps: Iterable[StepProgress], log: Iterable[SagaLogEntry | Logged]
) -> datetime | None:
    """Return when the pivot was done, or when it was certain that it would not be. Return None if that is open."""
    if status == "confirmed":
        pivot = definition_of(instance.definition).pivot.name
        return next(step.since for step in steps if step.name == pivot)
    if status in FINAL and _is_retried(instance):
        return instance.ended_at  # no time was left to try it again
    if status in FINAL:
        return next(entry.at for entry in log if entry.phase == Phase.COMPENSATING)
    return None


def _reading(customer_id: str, checkout_id: UUID) -> Reading:
    reading = bulk_reads.read(checkout_id)
    if reading is None or reading.instance.customer_id != customer_id or not _is_checkout(reading.instance):
        raise NoSuchCheckout
    return reading


def _is_checkout(instance: SagaInstance) -> bool:
    """Return whether the saga is a checkout, of any version of the definition."""
    return instance.definition.partition(".")[0] == checkout.name.partition(".")[0]


def _shown(reading: Reading, status: str) -> Checkout:
    instance = reading.instance
    request = decode(CheckoutRequested, instance.request)
    card_minor = request.total_minor - request.credit_minor
    log = selectors.log_of(instance.id) if reading.log is None else reading.log
    steps = selectors.progress(instance, log, reading.ledgers)
    return Checkout(
        id=reading.saga_id,
        order_id=request.order_id,
        status=status,
        steps=steps,
        failure=_failure(instance.failure) if instance.failure and status in ("failed", CANCELLED) else None,
        total=amount(request.total_minor, request.currency),
        discount=amount(request.discount_minor, request.currency),
        credit=amount(request.credit_minor, request.currency),
        card=amount(card_minor, request.currency),
        created_at=request.placed_at,
        decided_at=decided_at(instance, status, steps, log),
    )


def _failure(recorded: Mapping[str, Any]) -> Failure:
    return Failure(recorded["code"], recorded.get("detail", ""), recorded.get("facts", {}).get("order"))


def _is_retried(instance: SagaInstance) -> bool:
    return is_retried(instance.failure, instance.victim_count)
