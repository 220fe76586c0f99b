"""The external commands of payments. Each calls the gateway, finds earlier calls there, and records the result here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from orchestration.contracts.codec import Malformed
from orchestration.contracts.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentAuthorised,
    PaymentCaptured,
    RefundPayment,
    refund_payment,
)
from orchestration.participant.encryption import decrypt
from orchestration.participant.external import ExternalCommand, Keys, OutcomeUnknown
from orchestration.participant.refusals import PermanentFailure
from payments import free_orders
from payments.gateways.choice import gateway
from payments.gateways.port import (
    AuthorisationRequest,
    GatewayPayment,
    GatewayRefund,
    NotPossible,
    PaymentRefused,
    PaymentStatus,
    RefundStatus,
)
from payments.models import Payment
from payments.reversal import REVERSED, Reversal, store_reversal

NOTHING_HELD = "nothing_held"


class AuthorisationLapsed(PermanentFailure):
    """The gateway no longer holds the money. It was voided there, or it expired."""


class RefundFailed(PermanentFailure):
    """The gateway has failed the refund. Give the money back another way, then resolve the step with its id."""


@dataclass(frozen=True)
class ReportedAuthorisation:
    """The gateway's id of the authorisation."""

    authorisation_id: str


@dataclass(frozen=True)
class ReportedReversal:
    """`status` is voided, refunded, or nothing_held when the card was never charged.

    Both ids for refunded; the authorisation's id, unless nothing was held or we have written it down.
    """

    status: str
    authorisation_id: str = ""
    capture_id: str = ""
    refund_id: str = ""


@dataclass(frozen=True)
class ReportedCapture:
    """The gateway's id of the capture."""

    capture_id: str


class PaymentAuthorisation(ExternalCommand[AuthorisePayment, GatewayPayment]):
    """`authorise_payment`: hold the order's total at the gateway."""

    facts = ReportedAuthorisation

    def local_reply(self, request: AuthorisePayment) -> GatewayPayment | None:
        return free_orders.authorised(request)

    def check(self, request: AuthorisePayment) -> None:
        """Check that this process can read the payment method.

        :raises SealBroken: when no key of this process decrypts it.
        """
        decrypt(request.payment_method)

    def call(self, request: AuthorisePayment, keys: Keys) -> GatewayPayment:
        return gateway().authorise(authorisation_request(request), key=keys.own)

    def find(self, request: AuthorisePayment, keys: Keys) -> GatewayPayment | None:
        payment = gateway().find(key=keys.own, reference=str(request.order_id))
        if payment and payment.status != PaymentStatus.AUTHORISED:
            raise AuthorisationLapsed(f"{payment.authorisation_id} is {payment.status}")
        return payment

    def reported(self, request: AuthorisePayment, facts: ReportedAuthorisation) -> GatewayPayment:
        return GatewayPayment(facts.authorisation_id, PaymentStatus.AUTHORISED)

    def record_all(self, replied: Sequence[tuple[AuthorisePayment, GatewayPayment]]) -> list[PaymentAuthorised]:
        rows = [
            Payment(
                saga_id=request.saga_id,
                order_id=request.order_id,
                amount_minor=request.card_minor,
                currency=request.currency,
                status=payment.status,
                authorisation_id=payment.authorisation_id,
            )
            for request, payment in replied
        ]
        Payment.objects.hold(rows)
        return [PaymentAuthorised(payment.authorisation_id) for _, payment in replied]


class PaymentRefund(ExternalCommand[RefundPayment, Reversal]):
    """`refund_payment`: void what is only authorised, refund what was captured."""

    facts = ReportedReversal

    def local_reply(self, request: RefundPayment) -> Reversal | None:
        return free_orders.refunded(request)

    def call(self, request: RefundPayment, keys: Keys) -> Reversal:
        """Reverse the payment.

        If the gateway does not know the authorisation, authorise again with the same key first. Then the earlier call,
        which may still arrive, finds its key taken and cannot hold money that we do not know of.
        """
        try:
            payment = self._known(request, keys) or self._authorised_again(request, keys)
        except PaymentRefused:
            return Reversal(payment=None)
        return Reversal(reverse(payment, keys.own))

    def find(self, request: RefundPayment, keys: Keys) -> Reversal | None:
        try:
            payment = self._known(request, keys)
        except PaymentRefused:
            return Reversal(payment=None)
        return Reversal(payment) if payment and payment.status in REVERSED else None

    def reported(self, request: RefundPayment, facts: ReportedReversal) -> Reversal:
        """Return the reversal that the operator reports.

        :raises Malformed: when the facts are no reversal, or contradict the payment that we have recorded.
        """
        ours = authorisation_id_of(request.saga_id)
        if facts.status == NOTHING_HELD:
            if ours:
                raise Malformed(f"status cannot be {NOTHING_HELD}: {ours} was held")
            return Reversal(payment=None)
        if facts.status not in REVERSED:
            raise Malformed(f"status is not one of {', '.join(sorted(REVERSED))}, {NOTHING_HELD}")
        refunded = facts.status == PaymentStatus.REFUNDED
        authorisation_id = _same_authorisation_id(facts.authorisation_id, ours)
        for name in ("capture_id", "refund_id"):
            if refunded != bool(getattr(facts, name)):
                raise Malformed(f"{name} goes with {PaymentStatus.REFUNDED}, and only with it")
        payment = GatewayPayment(authorisation_id, PaymentStatus(facts.status))
        if refunded:
            made = GatewayRefund(facts.refund_id, request.card_minor, RefundStatus.SUCCEEDED)
            payment = replace(payment, capture_id=facts.capture_id, captured_minor=request.card_minor, refunds=(made,))
        return Reversal(payment)

    def record(self, request: RefundPayment, reply: Reversal) -> None:
        """Record the reversal, also of a hold that was never recorded. Do nothing if no money was held."""
        if reply.payment is not None:
            asked = Payment(
                saga_id=request.saga_id,
                order_id=request.order_id,
                amount_minor=request.card_minor,
                currency=request.currency,
            )
            store_reversal(asked, reply.payment, made_by=[(request.saga_id, refund_payment)])

    def _known(self, request: RefundPayment, keys: Keys) -> GatewayPayment | None:
        """Look up the payment by its id if we recorded it, otherwise by the key of the authorisation."""
        if authorisation_id := authorisation_id_of(request.saga_id):
            return gateway().look_up(authorisation_id)
        return gateway().find(key=keys.action, reference=str(request.order_id))

    def _authorised_again(self, request: RefundPayment, keys: Keys) -> GatewayPayment:
        """Take the authorisation's key by repeating its call, and return the payment.

        :raises OutcomeUnknown: when the gateway may have forgotten the key, so that the call would not take it.
        """
        if keys.forgotten:
            raise OutcomeUnknown(OutcomeUnknown.__doc__)
        return gateway().authorise(authorisation_request(request), key=keys.action)


class PaymentCapture(ExternalCommand[CapturePayment, GatewayPayment]):
    """`capture_payment`: take the money that is held."""

    facts = ReportedCapture

    def local_reply(self, request: CapturePayment) -> GatewayPayment | None:
        return free_orders.captured(request)

    def call(self, request: CapturePayment, keys: Keys) -> GatewayPayment:
        try:
            return gateway().capture(request.authorisation_id, amount_minor=request.card_minor, key=keys.own)
        except NotPossible:
            payment = self.find(request, keys)  # an operator may have captured it at the gateway
            if payment is None:
                raise
            return payment

    def find(self, request: CapturePayment, keys: Keys) -> GatewayPayment | None:
        payment = gateway().look_up(request.authorisation_id)
        if payment.status == PaymentStatus.AUTHORISED:
            return None
        if payment.status != PaymentStatus.CAPTURED:
            raise AuthorisationLapsed(f"{payment.authorisation_id} is {payment.status}")
        return payment

    def reported(self, request: CapturePayment, facts: ReportedCapture) -> GatewayPayment:
        captured_minor = request.card_minor
        return GatewayPayment(request.authorisation_id, PaymentStatus.CAPTURED, facts.capture_id, captured_minor)

    def record_all(self, replied: Sequence[tuple[CapturePayment, GatewayPayment]]) -> list[PaymentCaptured]:
        Payment.objects.capture({request.saga_id: payment for request, payment in replied})
        return [PaymentCaptured(payment.capture_id or "") for _, payment in replied]


def authorisation_request(request: AuthorisePayment | RefundPayment) -> AuthorisationRequest:
    """Return the gateway's request to authorise this order, with the payment method in clear text."""
    return AuthorisationRequest(
        reference=str(request.order_id),
        amount_minor=request.card_minor,
        currency=request.currency,
        payment_method=decrypt(request.payment_method),
    )


def authorisation_id_of(saga_id: UUID) -> str | None:
    """Return the id of the saga's authorisation as we recorded it, or None."""
    return Payment.objects.filter(saga_id=saga_id).values_list("authorisation_id", flat=True).first()


def reverse(payment: GatewayPayment, key: str) -> GatewayPayment:
    """Void the payment if it is authorised, refund what is left of it if it is captured. Do nothing if it was
    reversed already.

    :raises RefundFailed: when the gateway has failed the refund.
    """
    try:
        if payment.status == PaymentStatus.AUTHORISED:
            return gateway().void(payment.authorisation_id, key=key)
        if payment.status == PaymentStatus.CAPTURED:
            return _refunded(payment, key)
    except NotPossible:
        current = gateway().look_up(payment.authorisation_id)  # it may have changed since it was read
        if current.status == payment.status:
            raise
        return reverse(current, key)
    return payment


def _refunded(payment: GatewayPayment, key: str) -> GatewayPayment:
    made = gateway().refund(payment.authorisation_id, amount_minor=payment.kept_minor, key=key)
    if made.status == RefundStatus.FAILED:
        raise RefundFailed(f"{made.refund_id}: {RefundFailed.__doc__}")
    return replace(payment, status=PaymentStatus.REFUNDED, refunds=(*payment.refunds, made))


def _same_authorisation_id(reported: str, ours: str | None) -> str:
    if not (reported or ours):
        raise Malformed("authorisation_id is missing: we have written none down")
    if reported and ours and reported != ours:
        raise Malformed(f"authorisation_id is {ours} in our books")
    return ours or reported
