"""Payments of nothing: a free order moves no money, so the gateway is not asked, and only our books know of it."""

from uuid import UUID

from orchestration.contracts.payments import AuthorisePayment, CapturePayment, RefundPayment, ReverseLeftoverPayment
from payments.gateways.port import GatewayPayment, PaymentStatus
from payments.models import Payment
from payments.services import Reversal

FREE = "free_"
"""What the ids of such payments begin with; no gateway gave them."""


def is_free(authorisation_id: str) -> bool:
    """Whether the payment is one that no gateway knows of."""
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
    """Return the reversal of a free order's payment; None when a gateway has to be asked."""
    return None if request.total_minor else _reversed(request.saga_id)


def leftover_reversed(request: ReverseLeftoverPayment) -> Reversal | None:
    """Return the reversal of what a compensated free order left behind; None when a gateway has to be asked."""
    return None if request.total_minor else _reversed(request.repaired_saga_id)


def _reversed(saga_id: UUID) -> Reversal | None:
    """An order of nothing that an earlier version took to the gateway goes on there."""
    payment = Payment.objects.filter(saga_id=saga_id).first()
    if payment is None:
        return Reversal(payment=None)
    if not is_free(payment.authorisation_id):
        return None
    if payment.capture_id is None:
        return Reversal(GatewayPayment(payment.authorisation_id, PaymentStatus.VOIDED))
    ids = {"capture_id": payment.capture_id, "refund_id": payment.authorisation_id}
    return Reversal(GatewayPayment(payment.authorisation_id, PaymentStatus.REFUNDED, **ids))
