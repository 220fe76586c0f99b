"""The commands of payments that repair what an audit has found, or void what a manual settlement leaves on hold."""

from uuid import UUID

from orchestration.contracts.command import Action, Compensation
from orchestration.contracts.payments import (
    ConfirmCaptureSettled,
    LeftoverPaymentReversed,
    ReverseLeftoverPayment,
    SettledHoldVoided,
    VoidSettledHold,
    authorise_payment,
    capture_payment,
    refund_payment,
    reverse_leftover_payment,
)
from orchestration.participant.external import ExternalCommand, Keys, key_of
from orchestration.participant.ledger import Status
from orchestration.participant.refusals import Refusal
from orchestration.participant.repair_marks import mark_reversed
from payments import free_orders
from payments.gateways.choice import gateway
from payments.gateways.port import GatewayPayment, NotPossible, PaymentRefused, PaymentStatus
from payments.models import Ledger, Payment
from payments.reversal import REVERSED, Reversal, store_reversal
from payments.services import authorisation_id_of, reverse

CONCLUDED = (Status.DONE, Status.REFUSED)
"""Statuses of the capture's ledger row after which no capture is called any more."""


class CaptureStillPending(Refusal):
    """The capture is not settled: it may still take what is on hold."""

    code = "capture_still_owed"


class MoneyWasTaken(Refusal):
    """The money is not on hold: the gateway has captured it. Nothing is given back."""

    code = "money_was_taken"


class NothingOnHold(Refusal):
    """The gateway knows of no hold for this order."""

    code = "nothing_on_hold"


class LeftoverPaymentReversal(ExternalCommand[ReverseLeftoverPayment, Reversal]):
    """`reverse_leftover_payment`: void or refund what the gateway still has of the repaired saga, if anything."""

    def local_reply(self, request: ReverseLeftoverPayment) -> Reversal | None:
        return free_orders.leftover_reversed(request)

    def call(self, request: ReverseLeftoverPayment, keys: Keys) -> Reversal:
        payment = _leftover(request)
        return Reversal(payment and reverse(payment, keys.own))

    def find(self, request: ReverseLeftoverPayment, keys: Keys) -> Reversal | None:
        payment = _leftover(request)
        return Reversal(payment) if payment and payment.status in REVERSED else None

    def record(self, request: ReverseLeftoverPayment, reply: Reversal) -> LeftoverPaymentReversed:
        """Record the reversal on the repaired saga's payment, and mark its ledger row as reversed."""
        mark_reversed(Ledger, request.repaired_saga_id, authorise_payment)
        if reply.payment is None:
            return LeftoverPaymentReversed(None)
        _record(request, reply.payment)
        return LeftoverPaymentReversed(reply.payment.status)


def confirm_capture_settled(request: ConfirmCaptureSettled) -> None:
    """Confirm that the saga's capture is settled. Change nothing.

    :raises CaptureStillPending: when the saga's capture may still be called.
    """
    captures = Ledger.objects.filter(saga_id=request.repaired_saga_id, step=capture_payment.step)
    if not captures.filter(status__in=CONCLUDED).exists():
        raise CaptureStillPending


class SettledHoldVoiding(ExternalCommand[VoidSettledHold, GatewayPayment]):
    """`void_settled_hold`: void what the gateway still holds. What it has captured meanwhile stays as it is."""

    def call(self, request: VoidSettledHold, keys: Keys) -> GatewayPayment:
        """Void the hold.

        :raises MoneyWasTaken: when it is captured or refunded.
        :raises NothingOnHold: when there never was a hold.
        """
        payment = _leftover(request)
        if payment is None:
            raise NothingOnHold
        if payment.status != PaymentStatus.AUTHORISED:
            return _voided(payment)
        try:
            return gateway().void(payment.authorisation_id, key=keys.own)
        except NotPossible:
            by_now = gateway().look_up(payment.authorisation_id)  # it may have changed since it was read
            if by_now.status == PaymentStatus.AUTHORISED:
                raise
            return _voided(by_now)

    def find(self, request: VoidSettledHold, keys: Keys) -> GatewayPayment | None:
        payment = _leftover(request)
        return None if payment is None or payment.status == PaymentStatus.AUTHORISED else _voided(payment)

    def record(self, request: VoidSettledHold, reply: GatewayPayment) -> SettledHoldVoided:
        """Record that nothing is on hold. The order stands, so its authorisation's ledger row stays done."""
        _record(request, reply)
        return SettledHoldVoided(reply.status)


def _voided(payment: GatewayPayment) -> GatewayPayment:
    if payment.status != PaymentStatus.VOIDED:
        raise MoneyWasTaken(payment=payment.authorisation_id, status=payment.status.value)
    return payment


def _record(request: ReverseLeftoverPayment | VoidSettledHold, payment: GatewayPayment) -> None:
    asked = Payment(
        saga_id=request.repaired_saga_id,
        order_id=request.repaired_order_id,
        amount_minor=request.total_minor,
        currency=request.currency,
    )
    made_by: list[tuple[UUID, Action | Compensation]] = [
        (request.repaired_saga_id, refund_payment),
        (request.saga_id, reverse_leftover_payment),
    ]
    store_reversal(asked, payment, made_by=made_by)


def _leftover(request: ReverseLeftoverPayment | VoidSettledHold) -> GatewayPayment | None:
    """Return the payment by its id if we recorded it, else by the key that the repaired saga used."""
    if authorisation_id := authorisation_id_of(request.repaired_saga_id):
        return gateway().look_up(authorisation_id)
    key = key_of(request.repaired_saga_id, authorise_payment)
    try:
        return gateway().find(key=key, reference=str(request.repaired_order_id))
    except PaymentRefused:
        return None
