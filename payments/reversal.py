"""The result of a reversed payment, and its record."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action, Compensation
from orchestration.participant.external import key_of
from payments.gateways.port import GatewayPayment, PaymentStatus
from payments.models import Payment
from payments.refund_rows import note_reversal

REVERSED = frozenset({PaymentStatus.VOIDED, PaymentStatus.REFUNDED})


@dataclass(frozen=True)
class Reversal:
    """The payment after its reversal, or None when no money was ever held."""

    payment: GatewayPayment | None


def store_reversal(
    asked: Payment, payment: GatewayPayment, *, made_by: Iterable[tuple[UUID, Action | Compensation]]
) -> None:
    """Record the gateway's state of a reversed payment and its refunds, which these sagas and commands have made."""
    steps = {key_of(saga_id, command): (saga_id, command.step) for saga_id, command in made_by}
    note_reversal(Payment.objects.store_state(asked, payment), payment, steps)
