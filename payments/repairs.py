"""What payments does to put right what an audit has found."""

from orchestration.contracts.payments import LeftoverPaymentReversed, ReverseLeftoverPayment, authorise_payment
from orchestration.participant.outside import Keys, key_of
from orchestration.participant.repairing import mark_reversed
from payments.gateways.choice import gateway
from payments.gateways.port import GatewayPayment, PaymentRefused
from payments.models import Ledger, Payment
from payments.services import REVERSED, Reversal, authorisation_id_of, reverse, write_down


def reverse_leftover_payment(request: ReverseLeftoverPayment, keys: Keys) -> Reversal:
    """Void or refund what the gateway still has of the repaired saga; nothing when it has nothing any more."""
    payment = _leftover(request)
    return Reversal(payment and reverse(payment, request.total_minor, keys.own))


def find_reversed_leftover_payment(request: ReverseLeftoverPayment, keys: Keys) -> Reversal | None:
    """Ask the gateway what became of `reverse_leftover_payment`."""
    payment = _leftover(request)
    return Reversal(payment) if payment and payment.status in REVERSED else None


def record_reversed_leftover_payment(request: ReverseLeftoverPayment, reversal: Reversal) -> LeftoverPaymentReversed:
    """Write down the reversal where the repaired saga's payment stands, and have its ledger row say so."""
    mark_reversed(Ledger, request.repaired_saga_id, authorise_payment)
    if reversal.payment is None:
        return LeftoverPaymentReversed(None)
    asked = Payment(
        saga_id=request.repaired_saga_id,
        order_id=request.repaired_order_id,
        amount_minor=request.total_minor,
        currency=request.currency,
    )
    write_down(asked, reversal.payment)
    return LeftoverPaymentReversed(reversal.payment.status)


def _leftover(request: ReverseLeftoverPayment) -> GatewayPayment | None:
    """The payment by its id if we wrote it down, else by the key that the repaired saga asked for it with."""
    if authorisation_id := authorisation_id_of(request.repaired_saga_id):
        return gateway().look_up(authorisation_id)
    key = key_of(request.repaired_saga_id, authorise_payment)
    try:
        return gateway().find(key=key, reference=str(request.repaired_order_id))
    except PaymentRefused:
        return None
