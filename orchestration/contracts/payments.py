"""What payments is asked, and answers. Amounts are minor units of an ISO 4217 currency."""

from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, Query
from orchestration.contracts.values import Encrypted


@dataclass(frozen=True)
class AuthorisePayment:
    saga_id: UUID
    order_id: UUID
    total_minor: int
    currency: str
    payment_method: Encrypted


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


@dataclass(frozen=True)
class CapturePayment:
    saga_id: UUID
    order_id: UUID
    total_minor: int
    currency: str
    authorisation_id: str


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
    """`payment_status` as it is now: voided or refunded; None when there never was a payment."""

    payment_status: str | None


@dataclass(frozen=True)
class ConfirmCaptureSettled:
    """Say that no capture is called any more for the saga `repaired_saga_id`: what it has on hold may go."""

    saga_id: UUID
    repaired_saga_id: UUID


@dataclass(frozen=True)
class VoidSettledHold:
    """Void what the saga `repaired_saga_id` still holds for its order, whose capture a person has settled outside."""

    saga_id: UUID
    repaired_saga_id: UUID
    repaired_order_id: UUID
    total_minor: int
    currency: str


@dataclass(frozen=True)
class SettledHoldVoided:
    """`payment_status` as it is now."""

    payment_status: str


authorise_payment = Action("payments.authorise_payment", request=AuthorisePayment, answer=PaymentAuthorised)
refund_payment = Compensation("payments.refund_payment", request=RefundPayment, undoes=authorise_payment)
capture_payment = Action("payments.capture_payment", request=CapturePayment, answer=PaymentCaptured)
reverse_leftover_payment = Action(
    "payments.reverse_leftover_payment", request=ReverseLeftoverPayment, answer=LeftoverPaymentReversed
)
confirm_capture_settled = Action("payments.confirm_capture_settled", request=ConfirmCaptureSettled)
void_settled_hold = Action("payments.void_settled_hold", request=VoidSettledHold, answer=SettledHoldVoided)

money_held = Query("payments.money_held")
"""(saga ids: collection of UUID) -> dict of (currency, "authorised" or "captured") to minor units held for them."""
