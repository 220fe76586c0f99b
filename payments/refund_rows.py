"""The writes of refund rows: an amount set aside, and its state at the gateway."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Now

from orchestration.participant.refusals import Refusal
from payments.gateways.port import GatewayPayment, GatewayRefund, PaymentStatus, RefundStatus
from payments.models import Origin, Payment, Refund, RefundState

READ_AFTER = timedelta(minutes=1)
"""A refund is read at the gateway when it is this old. Each later reading comes when it is twice as old."""

MAY_FAIL_FOR = timedelta(days=30)
"""A refund that has succeeded is read again until it is this old: a bank may still send the money back."""


class NotCapturedYet(Exception):
    """The order's money is not captured yet, so none of it can be given back."""


class RefundExceedsCaptured(Refusal):
    """More cannot be given back than was captured."""

    code = "refund_exceeds_captured"


def set_aside(asked: Refund, *, checkout_id: UUID) -> Refund:
    """Insert the refund of this checkout's payment and count its amount as given back, in one transaction.

    If the step has set its refund aside before, return that row and change nothing.

    :raises NotCapturedYet: when the money is still only on hold.
    :raises RefundExceedsCaptured: when less than this amount is left of what was captured.
    """
    step = {"saga_id": asked.saga_id, "step": asked.step, "destination": asked.destination}
    if earlier := Refund.objects.select_related("payment").filter(**step).first():
        return earlier
    with transaction.atomic(using="payments"):
        payment = Payment.objects.select_for_update().filter(saga_id=checkout_id).first()
        if payment and payment.status == PaymentStatus.AUTHORISED and asked.amount_minor:
            raise NotCapturedYet(NotCapturedYet.__doc__)
        refundable = payment.captured_minor - payment.refunded_minor if payment else 0
        refund = Refund.objects.filter(**step).first()  # a second message may have inserted it meanwhile
        if refund is None:
            if payment is None or asked.amount_minor > refundable:
                raise RefundExceedsCaptured(refundable=refundable)
            refund = asked
            refund.payment, refund.status = payment, RefundState.REQUESTED
            refund.save(force_insert=True)
            if asked.amount_minor:
                Payment.objects.give_back(payment.pk, asked.amount_minor)
    return refund


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
        if changed and status == RefundStatus.FAILED:
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
