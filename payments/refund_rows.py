"""The writes of refund rows: an amount set aside, and its state at the gateway."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Now

from orchestration.contracts.order_changes import RefundTo
from orchestration.contracts.payments import GiveBack, give_back
from orchestration.participant.refusals import Refusal
from payments import wallets
from payments.gateways.port import GatewayPayment, GatewayRefund, PaymentStatus, RefundStatus
from payments.models import CreditPayment, Destination, Origin, Payment, Refund, RefundState, WalletMovement

READ_AFTER = timedelta(minutes=1)
"""A refund is read at the gateway when it is this old. Each later reading comes when it is twice as old."""

MAY_FAIL_FOR = timedelta(days=30)
"""A refund that has succeeded is read again until it is this old: a bank may still send the money back."""


class NotCapturedYet(Exception):
    """The order's money is not captured yet, so none of it can be given back."""


class RefundExceedsCaptured(Refusal):
    """More cannot be given back than was paid by card and store credit and is left."""

    code = "refund_exceeds_captured"


def set_aside(request: GiveBack) -> list[Refund]:
    """Insert the refunds of an order's money, and count their amounts as given back, in one transaction.

    Money goes back the way it was paid, to the card first; or all of it to store credit. What goes to store credit is
    there at once. If the step has set its refunds aside before, return these rows and change nothing.

    :raises NotCapturedYet: when the card's money is still only on hold.
    :raises RefundExceedsCaptured: when less than this amount is left of what was paid.
    """
    if earlier := refunds_of(request.saga_id):
        return earlier
    with transaction.atomic(using="payments"):
        payment = Payment.objects.select_for_update().filter(saga_id=request.checkout_id).first()
        if payment and payment.status == PaymentStatus.AUTHORISED and request.refund_minor:
            raise NotCapturedYet(NotCapturedYet.__doc__)
        spent = CreditPayment.objects.select_for_update().filter(
            saga_id=request.checkout_id, state=CreditPayment.State.SPENT
        )
        credit = spent.first()
        if earlier := refunds_of(request.saga_id):  # a second message may have inserted them meanwhile
            return earlier
        rows = _planned(request, payment, credit)
        for row in rows:
            row.save(force_insert=True)
        _count(request, rows)
    return rows


def refunds_of(saga_id: UUID) -> list[Refund]:
    """Return the refunds that the change has set aside."""
    return list(Refund.objects.select_related("payment").filter(saga_id=saga_id, step=give_back.step).order_by("pk"))


def to_card(refunds: Iterable[Refund]) -> Refund | None:
    """Return the refund that the gateway has to make; None when nothing goes back to the card."""
    return next((each for each in refunds if each.destination == Destination.CARD and each.amount_minor), None)


def _planned(request: GiveBack, payment: Payment | None, credit: CreditPayment | None) -> list[Refund]:
    """Return the refunds of what the card and of what store credit has paid."""
    card_left = payment.captured_minor - payment.refunded_minor if payment else 0
    credit_left = credit.amount_minor - credit.refunded_minor if credit else 0
    if request.refund_minor > card_left + credit_left:
        raise RefundExceedsCaptured(refundable=card_left + credit_left)
    is_to_credit = request.refund_to == RefundTo.CREDIT
    of_credit = min(request.refund_minor, credit_left) if is_to_credit else max(0, request.refund_minor - card_left)
    of_card, made = request.refund_minor - of_credit, {"saga_id": request.saga_id, "step": give_back.step}
    rows = []
    if payment and (of_card or not of_credit):
        destination = Destination.CREDIT if is_to_credit and of_card else Destination.CARD
        rows.append(Refund(**made, payment=payment, destination=destination, amount_minor=of_card))
    if of_credit or not rows:
        rows.append(Refund(**made, destination=Destination.CREDIT, amount_minor=of_credit))
    for row in rows:
        row.reason = request.reason
        row.status = RefundState.REQUESTED if to_card([row]) else RefundState.SUCCEEDED
    return rows


def _count(request: GiveBack, rows: Iterable[Refund]) -> None:
    """Count the amounts as given back, and add to the customer's store credit what goes there."""
    credited = 0
    for row in rows:
        if row.payment is not None and row.amount_minor:
            Payment.objects.give_back(row.payment.pk, row.amount_minor)
        if row.payment is None:
            paid = CreditPayment.objects.filter(saga_id=request.checkout_id)
            paid.update(refunded_minor=F("refunded_minor") + row.amount_minor, changed_at=Now())
        credited += row.amount_minor if row.destination == Destination.CREDIT else 0
    if credited:
        movement = WalletMovement(saga_id=request.saga_id, step=give_back.step, kind=WalletMovement.Kind.REFUNDED)
        movement.checkout_id, movement.reason = request.checkout_id, request.reason
        wallets.receive(wallets.ensure_wallet(request.customer_id, request.currency), credited, movement)


def conclude(refund: Refund, made: GatewayRefund | None, *, origin: Origin = Origin.OURS) -> None:
    """Record that the gateway has made the refund; None if there was nothing to give back."""
    changes: dict[str, object] = {"status": RefundState.SUCCEEDED}
    if made is not None:
        changes = {"status": RefundState(made.status), "gateway_id": made.refund_id, "origin": origin}
        if origin == Origin.OURS:
            changes["read_at"] = Now() + Value(READ_AFTER)
    Refund.objects.filter(pk=refund.pk, status=RefundState.REQUESTED).update(**changes, changed_at=Now())


def postpone(refund: Refund, *, now: datetime) -> None:
    """Set the time of the refund's next reading at the gateway: when it is twice as old, while it may still fail."""
    age = max(now - refund.requested_at, READ_AFTER)
    is_final = refund.status == RefundState.SUCCEEDED and age > MAY_FAIL_FOR
    Refund.objects.filter(pk=refund.pk).update(read_at=None if is_final else now + age)


def note_reading(refund: Refund, status: RefundStatus) -> None:
    """Record the new state in which the refund was read at the gateway. A failed refund is not read again.

    The amount of a refund that has failed is no longer given back: its money is at the gateway again.
    """
    with transaction.atomic(using="payments"):
        changes: dict[str, object] = {"status": RefundState(status), "changed_at": Now()}
        if status == RefundStatus.FAILED:
            changes["read_at"] = None
        changed = Refund.objects.filter(pk=refund.pk).exclude(status=RefundState.FAILED).update(**changes)
        if changed and status == RefundStatus.FAILED and refund.payment_id is not None:
            Payment.objects.give_back(refund.payment_id, -refund.amount_minor)


def note_reversal(payment: Payment, at_the_gateway: GatewayPayment, steps: Mapping[str, tuple[UUID, str]]) -> None:
    """Record the refunds of a payment that was reversed. `steps` gives by key the saga and the step that made it.

    A refund under another key was made by a person at the gateway.
    """
    for made in at_the_gateway.refunds:
        saga_id, step = steps.get(made.key, (payment.saga_id, ""))
        payment.refunds.update_or_create(
            gateway_id=made.refund_id,
            defaults={"status": RefundState(made.status), "changed_at": Now()},
            create_defaults={
                "saga_id": saga_id,
                "step": step,
                "destination": "card",
                "amount_minor": made.amount_minor,
                "status": RefundState(made.status),
                "origin": Origin.OURS if made.key in steps else Origin.GATEWAY,
                "read_at": Now() + Value(READ_AFTER),
            },
        )
