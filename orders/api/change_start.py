"""Starts changes of orders, for the HTTP API and the admin alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from orchestration.api import acceptance
from orchestration.api.acceptance import AcceptedSaga, StartAttempt
from orchestration.api.idempotency import KeyReusedProblem
from orchestration.contracts.order_changes import ChangeKind, ChangeRequested
from orchestration.contracts.values import SkuQuantity
from orchestration.engine.engine import Origin
from orchestration.participant.refusals import Refusal
from orchestration.sagas.cancel_order import cancel_order
from orchestration.sagas.dispatch_order import dispatch_order
from orchestration.sagas.refund_order import refund_order
from orchestration.sagas.return_order import return_order
from orders.api.access import Access
from orders.api.change_bodies import ChangeAsked
from orders.api.change_refusals import ChangeFailure
from orders.change_rules import PlannedChange, check_return, plan_change
from orders.models import Order, ReturnRequest

SAGAS = {
    ChangeKind.DISPATCH: dispatch_order,
    ChangeKind.CANCEL: cancel_order,
    ChangeKind.REFUND: refund_order,
    ChangeKind.RETURN: return_order,
}

AcceptedChange = AcceptedSaga[ChangeRequested]


@dataclass(frozen=True)
class ChangeAttempt:
    """One request for a change. All requests of a person with the same key mean one change of that kind.

    The key counts for the order, or for the return request that is received.
    """

    kind: ChangeKind
    access: Access
    change_id: UUID
    key: str
    request_hash: str
    return_request: ReturnRequest | None = None

    @property
    def order(self) -> Order:
        return self.access.order

    @property
    def origin(self) -> Origin:
        """The customer and the key of the saga. Its middle dots tell it from the keys of checkouts, which are ASCII."""
        about = self.return_request.pk if self.return_request else self.order.pk
        key = f"{self.kind}·{about}·{self.access.person}·{self.key}"
        return Origin(self.order.customer_id, key, self.request_hash)


def start_change(attempt: ChangeAttempt, asked_of: Callable[[], ChangeAsked], *, now: datetime) -> AcceptedChange:
    """Start the saga of the change, or find the one that an earlier attempt started.

    :raises Problem: when the order does not allow the change, or the key was used for another request.
    """

    def request_of() -> ChangeRequested:
        asked = asked_of()
        planned(attempt.order, asked, attempt.return_request, now)
        return _request(attempt, asked)

    saga = SAGAS[attempt.kind]
    start = StartAttempt(saga, attempt.change_id, attempt.origin, lambda change_id: _key_reused(attempt, change_id))
    return acceptance.accept(start, request_of, now=now)


def planned(order: Order, asked: ChangeAsked, return_request: ReturnRequest | None, now: datetime) -> PlannedChange:
    """Return what the change would move and give back, as the order is now.

    :raises Problem: when the order does not allow it. The saga would refuse it with the same code.
    """
    with refusals_as_problems(order, asked.lines, asked.amount_minor):
        if return_request:
            check_return(return_request, order, now)
        return plan_change(order, asked.kind, asked.lines, asked.amount_minor)


@contextmanager
def refusals_as_problems(order: Order, lines: Sequence[SkuQuantity], amount_minor: int | None = None) -> Iterator[None]:
    """Turn a refusal of the block into the problem document of it."""
    try:
        yield
    except Refusal as refusal:
        said = refusal.as_json()
        failure = ChangeFailure(said["code"], said["detail"], said["facts"], lines, order.currency, amount_minor)
        raise failure.problem() from refusal


def change_url(order_id: UUID, change_id: UUID) -> str:
    """Return the path at which the change is shown."""
    return reverse("order-change", args=[order_id, change_id])


def _key_reused(attempt: ChangeAttempt, change_id: UUID) -> KeyReusedProblem:
    return KeyReusedProblem(headers={"Location": change_url(attempt.order.pk, change_id)}, change_id=str(change_id))


def _request(attempt: ChangeAttempt, asked: ChangeAsked) -> ChangeRequested:
    order = attempt.order
    return ChangeRequested(
        order_id=order.pk,
        customer_id=order.customer_id,
        checkout_id=order.saga_id,
        kind=asked.kind,
        lines=asked.lines,
        amount_minor=asked.amount_minor,
        currency=order.currency,
        refund_to=asked.refund_to,
        reason=asked.reason,
        requested_by=attempt.access.person,
        return_id=attempt.return_request.pk if attempt.return_request else None,
        parcel_number=asked.parcel_number,
    )
