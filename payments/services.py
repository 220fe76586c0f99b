"""What payments does when asked: each command called at the gateway, looked for there, and recorded here."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, TextField
from django.db.models.functions import Now

from orchestration.contracts.codec import Malformed
from orchestration.contracts.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentAuthorised,
    PaymentCaptured,
    RefundPayment,
)
from orchestration.db.bulk_update import UpdateEach, each_own
from orchestration.db.sql import insert_all
from orchestration.participant.encryption import decrypt
from orchestration.participant.external import Keys, OutcomeUnknown
from orchestration.participant.refusals import PermanentFailure
from payments.gateways.choice import gateway
from payments.gateways.port import AuthorisationRequest, GatewayPayment, NotPossible, PaymentRefused, PaymentStatus
from payments.models import Payment

NOTHING_HELD = "nothing_held"
REVERSED = frozenset({PaymentStatus.VOIDED, PaymentStatus.REFUNDED})


class AuthorisationLapsed(PermanentFailure):
    """The gateway no longer holds the money: voided or expired there, not by us."""


class PaymentNotAuthorised(Exception):
    """There is no authorised payment of this saga to record a capture on."""


@dataclass(frozen=True)
class Reversal:
    """How a refund ended: the payment as it is now, or None when no money was ever held."""

    payment: GatewayPayment | None


@dataclass(frozen=True)
class AuthorisationTold:
    """The gateway's id of the authorisation."""

    authorisation_id: str


@dataclass(frozen=True)
class ReversalTold:
    """`status` is voided, refunded, or nothing_held when the card was never charged.

    Both ids for refunded; the authorisation's id, unless nothing was held or we have written it down.
    """

    status: str
    authorisation_id: str = ""
    capture_id: str = ""
    refund_id: str = ""


@dataclass(frozen=True)
class CaptureTold:
    """The gateway's id of the capture."""

    capture_id: str


def authorise_payment(request: AuthorisePayment, keys: Keys) -> GatewayPayment:
    """Hold the order's total at the gateway."""
    return gateway().authorise(_authorisation(request), key=keys.own)


def check_payment_method(request: AuthorisePayment) -> None:
    """Check that this process can read the payment method.

    :raises SealBroken: when no key of this process decrypts it.
    """
    decrypt(request.payment_method)


def find_authorised_payment(request: AuthorisePayment, keys: Keys) -> GatewayPayment | None:
    """Ask the gateway what became of `authorise_payment`."""
    payment = gateway().find(key=keys.own, reference=str(request.order_id))
    if payment and payment.status != PaymentStatus.AUTHORISED:
        raise AuthorisationLapsed(f"{payment.authorisation_id} is {payment.status}")
    return payment


def told_authorised_payment(request: AuthorisePayment, facts: AuthorisationTold) -> GatewayPayment:
    """Take a person's word for `authorise_payment`."""
    return GatewayPayment(facts.authorisation_id, PaymentStatus.AUTHORISED)


def record_authorised_payment(held: Sequence[tuple[AuthorisePayment, GatewayPayment]]) -> list[PaymentAuthorised]:
    """Write down the holds."""
    rows = [
        Payment(
            saga_id=request.saga_id,
            order_id=request.order_id,
            amount_minor=request.total_minor,
            currency=request.currency,
            status=payment.status,
            authorisation_id=payment.authorisation_id,
        )
        for request, payment in held
    ]
    insert_all(rows, "payments")
    return [PaymentAuthorised(payment.authorisation_id) for _, payment in held]


def refund_payment(request: RefundPayment, keys: Keys) -> Reversal:
    """Void what is only authorised, refund what was captured.

    When the gateway does not know the authorisation, make that very call again: a first call that is still on its way
    then finds its key taken and cannot hold the money behind our back.
    """
    try:
        payment = _known_payment(request, keys) or _occupy(request, keys)
    except PaymentRefused:
        return Reversal(payment=None)
    return Reversal(reverse(payment, request.total_minor, keys.own))


def find_refunded_payment(request: RefundPayment, keys: Keys) -> Reversal | None:
    """Ask the gateway what became of `refund_payment`."""
    try:
        payment = _known_payment(request, keys)
    except PaymentRefused:
        return Reversal(payment=None)
    return Reversal(payment) if payment and payment.status in REVERSED else None


def told_refunded_payment(request: RefundPayment, facts: ReversalTold) -> Reversal:
    """Take a person's word for `refund_payment`.

    :raises Malformed: when the facts do not make a reversal, or not one of the payment that we have written down.
    """
    ours = authorisation_id_of(request.saga_id)
    if facts.status == NOTHING_HELD:
        if ours:
            raise Malformed(f"status cannot be {NOTHING_HELD}: {ours} was held")
        return Reversal(payment=None)
    if facts.status not in REVERSED:
        raise Malformed(f"status is not one of {', '.join(sorted(REVERSED))}, {NOTHING_HELD}")
    refunded = facts.status == PaymentStatus.REFUNDED
    authorisation_id = _agreed(facts.authorisation_id, ours)
    for name in ("capture_id", "refund_id"):
        if refunded != bool(getattr(facts, name)):
            raise Malformed(f"{name} goes with {PaymentStatus.REFUNDED}, and only with it")
    ids = {"capture_id": facts.capture_id, "refund_id": facts.refund_id} if refunded else {}
    return Reversal(GatewayPayment(authorisation_id, PaymentStatus(facts.status), **ids))


def record_refunded_payment(request: RefundPayment, reversal: Reversal) -> None:
    """Write down the reversal, also of a hold that was never written down; nothing when no money was ever held."""
    if reversal.payment is not None:
        asked = Payment(
            saga_id=request.saga_id,
            order_id=request.order_id,
            amount_minor=request.total_minor,
            currency=request.currency,
        )
        write_down(asked, reversal.payment)


def write_down(asked: Payment, payment: GatewayPayment) -> None:
    """Have the saga's payment say what the gateway says of it now; one never written down is, as it was `asked` for."""
    outcome = {"status": payment.status, "capture_id": payment.capture_id, "refund_id": payment.refund_id}
    Payment.objects.update_or_create(
        saga_id=asked.saga_id,
        defaults={**outcome, "changed_at": Now()},
        create_defaults={
            **outcome,
            "order_id": asked.order_id,
            "amount_minor": asked.amount_minor,
            "currency": asked.currency,
            "authorisation_id": payment.authorisation_id,
        },
    )


def capture_payment(request: CapturePayment, keys: Keys) -> GatewayPayment:
    """Take the money that is held."""
    try:
        return gateway().capture(request.authorisation_id, amount_minor=request.total_minor, key=keys.own)
    except NotPossible:
        payment = find_captured_payment(request, keys)  # somebody may have taken it at the gateway
        if payment is None:
            raise
        return payment


def find_captured_payment(request: CapturePayment, keys: Keys) -> GatewayPayment | None:
    """Ask the gateway what became of `capture_payment`."""
    payment = gateway().look_up(request.authorisation_id)
    if payment.status == PaymentStatus.AUTHORISED:
        return None
    if payment.status != PaymentStatus.CAPTURED:
        raise AuthorisationLapsed(f"{payment.authorisation_id} is {payment.status}")
    return payment


def told_captured_payment(request: CapturePayment, facts: CaptureTold) -> GatewayPayment:
    """Take a person's word for `capture_payment`."""
    return GatewayPayment(request.authorisation_id, PaymentStatus.CAPTURED, capture_id=facts.capture_id)


def record_captured_payment(taken: Sequence[tuple[CapturePayment, GatewayPayment]]) -> list[PaymentCaptured]:
    """Write down the captures.

    :raises PaymentNotAuthorised: when one of them has no hold written down.
    """
    captures = {request.saga_id: {"capture_id": payment.capture_id or ""} for request, payment in taken}
    if _capture(captures) != len(captures):
        raise PaymentNotAuthorised(f"sagas {', '.join(map(str, captures))}")
    return [PaymentCaptured(each["capture_id"]) for each in captures.values()]


_capture = UpdateEach(
    Payment,
    by="saga_id",
    where=Q(status=PaymentStatus.AUTHORISED),
    status=PaymentStatus.CAPTURED,
    capture_id=each_own("capture_id", by="saga_id", kind=TextField()),
    changed_at=Now(),
)


def _authorisation(request: AuthorisePayment | RefundPayment) -> AuthorisationRequest:
    return AuthorisationRequest(
        reference=str(request.order_id),
        amount_minor=request.total_minor,
        currency=request.currency,
        payment_method=decrypt(request.payment_method),
    )


def _known_payment(request: RefundPayment, keys: Keys) -> GatewayPayment | None:
    """The payment by its id if we wrote it down, else by the key it was asked for with."""
    if authorisation_id := authorisation_id_of(request.saga_id):
        return gateway().look_up(authorisation_id)
    return gateway().find(key=keys.action, reference=str(request.order_id))


def authorisation_id_of(saga_id: UUID) -> str | None:
    """The authorisation as we wrote it down."""
    return Payment.objects.filter(saga_id=saga_id).values_list("authorisation_id", flat=True).first()


def _agreed(told: str, ours: str | None) -> str:
    if not (told or ours):
        raise Malformed("authorisation_id is missing: we have written none down")
    if told and ours and told != ours:
        raise Malformed(f"authorisation_id is {ours} in our books")
    return ours or told


def reverse(payment: GatewayPayment, amount_minor: int, key: str) -> GatewayPayment:
    """Let the money go or give it back, whichever the payment needs; nothing when it was reversed already."""
    try:
        if payment.status == PaymentStatus.AUTHORISED:
            return gateway().void(payment.authorisation_id, key=key)
        if payment.status == PaymentStatus.CAPTURED:
            return gateway().refund(payment.authorisation_id, amount_minor=amount_minor, key=key)
    except NotPossible:
        by_now = gateway().look_up(payment.authorisation_id)  # it may have changed since it was read
        if by_now.status == payment.status:
            raise
        return reverse(by_now, amount_minor, key)
    return payment


def _occupy(request: RefundPayment, keys: Keys) -> GatewayPayment:
    """:raises OutcomeUnknown: when the gateway may have forgotten the key: nothing could be occupied."""
    if keys.forgotten:
        raise OutcomeUnknown(OutcomeUnknown.__doc__)
    return gateway().authorise(_authorisation(request), key=keys.action)
