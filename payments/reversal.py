"""How a payment ends that is given back."""

from dataclasses import dataclass

from payments.gateways.port import GatewayPayment, PaymentStatus

REVERSED = frozenset({PaymentStatus.VOIDED, PaymentStatus.REFUNDED})


@dataclass(frozen=True)
class Reversal:
    """The payment as it is now that it is reversed, or None when no money was ever held."""

    payment: GatewayPayment | None
