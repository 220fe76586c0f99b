"""Orders whose checkout has captured the money, and changes that give it back, all through the kit."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from orchestration.contracts.payments import authorise_payment, capture_payment, give_back
from orchestration.participant.encryption import encrypt
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done, Outcome
from orchestration.participant.participant import Participant
from orchestration.testing import step_runner
from payments.models import Payment

TOTAL = 1998
"""Minor units that the order costs."""


@dataclass
class PaidOrder:
    """An order whose checkout has captured its total. Each change of it is a saga of its own."""

    participant: Participant
    token: str = "tok_ok"
    total_minor: int = TOTAL
    checkout_id: UUID = field(default_factory=uuid4)
    order_id: UUID = field(default_factory=uuid4)

    def authorised(self) -> "PaidOrder":
        self._known = {
            "saga_id": str(self.checkout_id),
            "order_id": str(self.order_id),
            "total_minor": self.total_minor,
            "currency": "GBP",
            "payment_method": encrypt(self.token),
        }
        [outcome] = step_runner.act(self.participant, authorise_payment, [self._step("authorise_payment")])
        assert isinstance(outcome, Done)
        self._known |= outcome.answer
        return self

    def captured(self) -> "PaidOrder":
        [outcome] = step_runner.act(self.participant, capture_payment, [self._step("capture_payment")])
        assert isinstance(outcome, Done)
        return self

    def change(self, amount_minor: int, refund_to: str = "payment") -> Call:
        """Return the message by which a change of the order gives this back."""
        saga_id = uuid4()
        known: dict[str, Any] = {
            "saga_id": str(saga_id),
            "order_id": str(self.order_id),
            "order_fence": 1,
            "checkout_id": str(self.checkout_id),
            "customer_id": "7",
            "refund_minor": amount_minor,
            "currency": "GBP",
            "refund_to": refund_to,
            "reason": "broken",
        }
        return Call(saga_id, "give_back", 1, known)

    def give_back(self, amount: int | Call) -> Outcome:
        call = amount if isinstance(amount, Call) else self.change(amount)
        [outcome] = step_runner.act(self.participant, give_back, [call])
        return outcome

    @property
    def payment(self) -> Payment:
        return Payment.objects.get(saga_id=self.checkout_id)

    def _step(self, step: str) -> Call:
        return Call(self.checkout_id, step, 1, self._known)


def paid(participant: Participant, token: str = "tok_ok") -> PaidOrder:
    """Return an order whose money is captured."""
    return PaidOrder(participant, token).authorised().captured()
