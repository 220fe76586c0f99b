"""The core of the sandbox gateway: what it does with money, with the checks of a real gateway."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from orchestration.participant.sandbox.books import SandboxBooks, fingerprint_of
from payments.gateways.port import (
    AuthorisationRequest,
    CardDeclined,
    GatewayPayment,
    GatewayRefund,
    InsufficientFunds,
    KeyReused,
    NotPossible,
    PaymentRefused,
    PaymentStatus,
    RefundStatus,
    UnknownPaymentMethod,
)
from payments.gateways.sandbox.models import Call, Kind, LateArrival, Operation

DATABASE = "gateway"
BOOKS = SandboxBooks(DATABASE, Operation, LateArrival, arrives_as=Kind.AUTHORISE, call=Call, key_reused=KeyReused)

_REFUSALS: dict[str, type[PaymentRefused]] = {
    refusal.code: refusal for refusal in (CardDeclined, InsufficientFunds, UnknownPaymentMethod)
}


def authorisation_asked(request: AuthorisationRequest, *, key: str) -> Operation:
    """Return the requested operation, unsaved."""
    return Operation(
        kind=Kind.AUTHORISE,
        key=key,
        fingerprint=fingerprint_of(request),
        reference=request.reference,
        amount_minor=request.amount_minor,
        currency=request.currency,
    )


def authorise(asked: Operation) -> GatewayPayment:
    """Hold the money, or decline it. It takes one statement when the key is new."""
    return _first_answer(_written(asked))


def capture(authorisation: Operation, *, amount_minor: int, key: str) -> GatewayPayment:
    """Capture the money of an authorisation that is neither captured nor voided."""
    if amount_minor > authorisation.amount_minor:
        raise NotPossible(f"{authorisation.public_id} holds {authorisation.amount_minor}, not {amount_minor}")
    return _first_answer(_written(_follower(authorisation, Kind.CAPTURE, amount_minor, key)))


def void(authorisation: Operation, *, key: str) -> GatewayPayment:
    """Void an authorisation that is neither captured nor voided."""
    return _first_answer(_written(_follower(authorisation, Kind.VOID, authorisation.amount_minor, key)))


def refund_asked(authorisation: Operation, *, amount_minor: int, key: str) -> Operation:
    """Return the requested refund, unsaved."""
    return _follower(authorisation, Kind.REFUND, amount_minor, key)


def refund(asked: Operation, *, now: datetime) -> GatewayRefund:
    """Refund captured money, in one part or several, never more than was captured. Return the refund's first state."""
    with transaction.atomic(using=DATABASE):
        Operation.objects.select_for_update().get(id=_row_id(asked.payment_id))
        row = BOOKS.earlier(asked)
        if row is None:
            left = payment_of(asked.payment_id, now=now).kept_minor
            if asked.amount_minor > left:
                raise NotPossible(f"{asked.payment_id} has {left} left to refund, not {asked.amount_minor}")
            asked.save(force_insert=True)
            row = asked
    first = RefundStatus.PENDING if row.pending_until else RefundStatus.SUCCEEDED
    return GatewayRefund(row.public_id, row.amount_minor, first, row.key)


def find(*, key: str, reference: str, now: datetime) -> GatewayPayment | None:
    """Read the payment authorised under `key`, or return None.

    :raises PaymentRefused: when it was declined.
    """
    rows = Operation.objects.filter(Q(key=key, kind=Kind.AUTHORISE) | Q(authorisation__key=key), reference=reference)
    return _state(rows.order_by("created_at"), now)


def payment_of(authorisation_id: str, *, now: datetime) -> GatewayPayment:
    """Read a payment by its id, as it is at this moment."""
    row_id = _row_id(authorisation_id)
    rows = Operation.objects.filter(Q(id=row_id) | Q(authorisation=row_id))
    payment = _state(rows.order_by("created_at"), now)
    if payment is None:
        raise NotPossible(f"there is no authorisation {authorisation_id}")
    return payment


def authorisation(authorisation_id: str) -> Operation:
    """Fetch the row that an operation on `authorisation_id` follows."""
    row = Operation.objects.filter(id=_row_id(authorisation_id), kind=Kind.AUTHORISE, decline_code="").first()
    if row is None:
        raise NotPossible(f"there is no authorisation {authorisation_id}")
    return row


def _row_id(authorisation_id: str) -> UUID:
    try:
        return UUID(authorisation_id.removeprefix(f"{Kind.AUTHORISE}_"))
    except ValueError:
        raise NotPossible(f"there is no authorisation {authorisation_id}") from None


def _written(asked: Operation) -> Operation:
    """Insert the row, or return the existing row with its key."""
    row = BOOKS.write(asked)
    if row is None:
        raise NotPossible(f"{asked.payment_id} is captured or voided already")
    return row


def _follower(authorisation: Operation, kind: Kind, amount_minor: int, key: str) -> Operation:
    return Operation(
        kind=kind,
        key=key,
        fingerprint=fingerprint_of(kind, authorisation.public_id, amount_minor),
        authorisation=authorisation,
        reference=authorisation.reference,
        amount_minor=amount_minor,
        currency=authorisation.currency,
    )


def _first_answer(row: Operation) -> GatewayPayment:
    """Return the operation's first answer, which every repetition gets."""
    if row.decline_code:
        raise _REFUSALS[row.decline_code]()
    if row.kind == Kind.AUTHORISE:
        return GatewayPayment(row.payment_id, PaymentStatus.AUTHORISED)
    if row.kind == Kind.CAPTURE:
        return GatewayPayment(row.payment_id, PaymentStatus.CAPTURED, row.public_id, row.amount_minor)
    return GatewayPayment(row.payment_id, PaymentStatus.VOIDED)


def _state(rows: Iterable[Operation], now: datetime) -> GatewayPayment | None:
    of_kind = defaultdict(list)
    for row in rows:
        of_kind[row.kind].append(row)
    if not of_kind:
        return None
    authorised = _first_answer(of_kind[Kind.AUTHORISE][0])
    if of_kind[Kind.VOID]:
        return replace(authorised, status=PaymentStatus.VOIDED)
    if not of_kind[Kind.CAPTURE]:
        return authorised
    [capture] = of_kind[Kind.CAPTURE]
    captured = replace(
        authorised,
        status=PaymentStatus.CAPTURED,
        capture_id=capture.public_id,
        captured_minor=capture.amount_minor,
        refunds=tuple(
            GatewayRefund(row.public_id, row.amount_minor, row.refund_status(now), row.key)
            for row in of_kind[Kind.REFUND]
        ),
    )
    return (
        replace(captured, status=PaymentStatus.REFUNDED)
        if captured.refunded_minor and not captured.kept_minor
        else captured
    )
