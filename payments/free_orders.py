"""Payments of free orders. They move no money, so they are recorded in this database only, not at the gateway."""

from uuid import UUID

from orchestration.contracts.payments import AuthorisePayment, CapturePayment, RefundPayment, ReverseLeftoverPayment
from payments.gateways.port import GatewayPayment, PaymentStatus
from payments.models import Payment
from payments.reversal import Reversal

FREE = "free_"
"""The prefix of the ids of such payments. No gateway issued them."""


def is_free(authorisation_id: str) -> bool:
    """Return whether the payment is that of a free order, unknown to the gateway."""
    return authorisation_id.startswith(FREE)


def authorised(request: AuthorisePayment) -> GatewayPayment | None:
    """Return the hold of a free order; None when there is money to hold."""
    if request.total_minor:
        return None
    return GatewayPayment(f"{FREE}{request.saga_id}", PaymentStatus.AUTHORISED)


def captured(request: CapturePayment) -> GatewayPayment | None:
    """Return the capture of a free order; None when a gateway holds the money."""
    if not is_free(request.authorisation_id):
        return None
    return GatewayPayment(request.authorisation_id, PaymentStatus.CAPTURED, capture_id=request.authorisation_id)


def refunded(request: RefundPayment) -> Reversal | None:
    """Return the reversal of a free order's payment; None if the gateway must be called."""
    return None if request.total_minor else _reversed(request.saga_id)


def leftover_reversed(request: ReverseLeftoverPayment) -> Reversal | None:
    """Return the reversal of a compensated free order's leftover payment; None if the gateway must be called."""
    return None if request.total_minor else _reversed(request.repaired_saga_id)


def _reversed(saga_id: UUID) -> Reversal | None:
    """Return the reversal; None for a free order that an earlier version authorised at the gateway."""
    payment = Payment.objects.filter(saga_id=saga_id).first()
    if payment is None:
        return Reversal(payment=None)
    if not is_free(payment.authorisation_id):
        return None
    if payment.capture_id is None:
        return Reversal(GatewayPayment(payment.authorisation_id, PaymentStatus.VOIDED))
    return Reversal(GatewayPayment(payment.authorisation_id, PaymentStatus.REFUNDED, payment.capture_id))
