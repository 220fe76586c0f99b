"""The result of a reversed payment."""

from dataclasses import dataclass

from payments.gateways.port import GatewayPayment, PaymentStatus

REVERSED = frozenset({PaymentStatus.VOIDED, PaymentStatus.REFUNDED})


@dataclass(frozen=True)
class Reversal:
    """The payment after its reversal, or None when no money was ever held."""

    payment: GatewayPayment | None
