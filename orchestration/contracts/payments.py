"""Requests to payments, its answers and commands. Amounts are minor units of an ISO 4217 currency."""

from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, Query
from orchestration.contracts.order_changes import ORDER, RefundTo
from orchestration.contracts.values import Encrypted


@dataclass(frozen=True)
class AuthorisePayment:
    """Hold what store credit does not pay of the order's total at the gateway."""

    saga_id: UUID
    order_id: UUID
    total_minor: int
    currency: str
    payment_method: Encrypted
    credit_minor: int = 0

    @property
    def card_minor(self) -> int:
        return self.total_minor - self.credit_minor


@dataclass(frozen=True)
class PaymentAuthorised:
    authorisation_id: str


@dataclass(frozen=True)
class RefundPayment:
    saga_id: UUID
    order_id: UUID
    total_minor: int
    currency: str
    payment_method: Encrypted
    credit_minor: int = 0

    @property
    def card_minor(self) -> int:
        return self.total_minor - self.credit_minor


@dataclass(frozen=True)
class CapturePayment:
    saga_id: UUID
    order_id: UUID
    total_minor: int
    currency: str
    authorisation_id: str
    credit_minor: int = 0

    @property
    def card_minor(self) -> int:
        return self.total_minor - self.credit_minor


@dataclass(frozen=True)
class PaymentCaptured:
    capture_id: str


@dataclass(frozen=True)
class ReverseLeftoverPayment:
    """Void or refund what the compensated saga `repaired_saga_id` still holds or has taken for its order."""

    saga_id: UUID
    repaired_saga_id: UUID
    repaired_order_id: UUID
    total_minor: int
    currency: str


@dataclass(frozen=True)
class LeftoverPaymentReversed:
    """`payment_status` is the current status, voided or refunded; None when there never was a payment."""

    payment_status: str | None


@dataclass(frozen=True)
class ConfirmCaptureSettled:
    """Confirm that the saga `repaired_saga_id` makes no more capture calls, so that its hold may be voided."""

    saga_id: UUID
    repaired_saga_id: UUID


@dataclass(frozen=True)
class VoidSettledHold:
    """Void the hold of the saga `repaired_saga_id`, whose capture an operator has settled elsewhere."""

    saga_id: UUID
    repaired_saga_id: UUID
    repaired_order_id: UUID
    total_minor: int
    currency: str


@dataclass(frozen=True)
class SettledHoldVoided:
    """`payment_status` is the current status."""

    payment_status: str


authorise_payment = Action(
    "payments.authorise_payment", request=AuthorisePayment, answer=PaymentAuthorised, external=True
)
refund_payment = Compensation("payments.refund_payment", request=RefundPayment, undoes=authorise_payment)
capture_payment = Action("payments.capture_payment", request=CapturePayment, answer=PaymentCaptured)
reverse_leftover_payment = Action(
    "payments.reverse_leftover_payment", request=ReverseLeftoverPayment, answer=LeftoverPaymentReversed
)
confirm_capture_settled = Action("payments.confirm_capture_settled", request=ConfirmCaptureSettled)
void_settled_hold = Action("payments.void_settled_hold", request=VoidSettledHold, answer=SettledHoldVoided)

money_held = Query("payments.money_held")
"""(saga ids: collection of UUID) -> dict of (currency, "authorised" or "captured") to their minor units."""


@dataclass(frozen=True)
class GiveBack:
    """Give back `refund_minor` of what card and store credit paid for the saga `checkout_id`, and never more."""

    saga_id: UUID
    order_id: UUID
    order_fence: int
    checkout_id: UUID
    customer_id: str
    refund_minor: int
    currency: str
    refund_to: RefundTo
    reason: str


@dataclass(frozen=True)
class MoneyGivenBack:
    to_card_minor: int
    to_credit_minor: int


give_back = Action("payments.give_back", request=GiveBack, answer=MoneyGivenBack, under=ORDER)
