"""The interface that payments needs of any payment gateway.

It is modelled on Stripe's PaymentIntents with manual capture: one object holds a payment from authorisation to refund,
every write takes an idempotency key, and the outcome of a write is found by reading. An adapter whose gateway stores
its first answer to a key, even a 500, must reconcile by reading and continue under a key of its own derived from ours.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from orchestration.participant.refusals import PermanentFailure, Refusal


class GatewayTimeout(Exception):
    """No answer in time: it may have been done, or may still be."""


class GatewayDown(Exception):
    """The gateway could not be reached."""


class GatewayBroken(Exception):
    """The gateway answered with a 5xx, or with something unreadable."""


class GatewayBusy(Exception):
    """Another call under the same key is still running."""


class KeyReused(PermanentFailure):
    """The key was used before, with other parameters."""


class NotPossible(PermanentFailure):
    """The payment is not in a state that allows this, or does not exist."""


OUTAGES = (GatewayTimeout, GatewayDown, GatewayBroken)
"""The errors that indicate the health of the gateway, not of one payment."""


class PaymentRefused(Refusal):
    """The payment was refused."""

    code = "payment_refused"


class CardDeclined(PaymentRefused):
    """The card was declined."""

    code = "card_declined"


class InsufficientFunds(PaymentRefused):
    """The card has not enough funds."""

    code = "insufficient_funds"


class UnknownPaymentMethod(PaymentRefused):
    """The payment method is not known to the gateway."""

    code = "unknown_payment_method"


class PaymentStatus(StrEnum):
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"


@dataclass(frozen=True)
class AuthorisationRequest:
    """Money to hold. `reference` is our order's id, `payment_method` the gateway's token for a card."""

    reference: str
    amount_minor: int
    currency: str
    payment_method: str = field(repr=False)


class RefundStatus(StrEnum):
    """The states of a refund. A gateway may report a refund as failed long after it reported it as succeeded."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class GatewayRefund:
    """A refund as the gateway sees it. `key` is the key of the call that made it; empty if no call of ours did."""

    refund_id: str
    amount_minor: int
    status: RefundStatus
    key: str = ""


@dataclass(frozen=True)
class GatewayPayment:
    """A payment as the gateway sees it, with all its refunds. A part refunded leaves its status *captured*."""

    authorisation_id: str
    status: PaymentStatus
    capture_id: str | None = None
    captured_minor: int = 0
    refunds: tuple[GatewayRefund, ...] = ()

    @property
    def refunded_minor(self) -> int:
        """The amount given back or being given back: the sum of all refunds that have not failed."""
        return sum(refund.amount_minor for refund in self.refunds if refund.status != RefundStatus.FAILED)

    @property
    def kept_minor(self) -> int:
        """The amount captured and not refunded."""
        return self.captured_minor - self.refunded_minor


class Gateway(Protocol):
    """A payment gateway. Every method may raise one of `OUTAGES`; each write also `GatewayBusy` or `KeyReused`.

    A write repeated under its key has no further effect and returns the first answer.
    """

    key_lifetime: timedelta | None
    """How long the gateway remembers a key."""

    def authorise(self, request: AuthorisationRequest, *, key: str) -> GatewayPayment:
        """Hold the money.

        :raises PaymentRefused: a final answer; the same key is refused in the same way.
        """

    def capture(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayPayment:
        """Capture held money.

        :raises NotPossible: when it is voided or already captured, or the amount is above what is held.
        :raises PaymentRefused: a final answer; the money stays held until it is voided, or the hold lapses.
        """

    def void(self, authorisation_id: str, *, key: str) -> GatewayPayment:
        """Void the hold: the money is no longer held.

        :raises NotPossible: when it is captured, or already voided under another key.
        """

    def refund(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayRefund:
        """Refund captured money, all of it or a part. A pending refund counts as refunded, a failed one does not.

        :raises NotPossible: when this would refund more than was captured, or the gateway refuses to refund.
        """

    def find(self, *, key: str, reference: str) -> GatewayPayment | None:
        """Read the payment that was authorised under `key`. Return None when none has arrived yet.

        :raises PaymentRefused: when the authorisation was refused.
        """

    def look_up(self, authorisation_id: str) -> GatewayPayment:
        """Read a payment by its id, and the current state of its refunds.

        :raises NotPossible: when there is no such payment.
        """
