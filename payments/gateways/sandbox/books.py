"""The inside of the sandbox gateway: its operations, each guarded as a real gateway guards it."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q, Sum

from payments.gateways.port import (
    AuthorisationRequest,
    CardDeclined,
    GatewayPayment,
    InsufficientFunds,
    KeyReused,
    NotPossible,
    PaymentRefused,
    PaymentStatus,
    UnknownPaymentMethod,
)
from payments.gateways.sandbox.models import Call, Kind, LateArrival, Operation

DATABASE = "gateway"

_REFUSALS: dict[str, type[PaymentRefused]] = {
    refusal.code: refusal for refusal in (CardDeclined, InsufficientFunds, UnknownPaymentMethod)
}


def authorise(
    request: AuthorisationRequest, *, key: str, decline_code: str = "", test_token: str = ""
) -> GatewayPayment:
    """Hold the money, or decline it; one statement when the key is new."""
    asked = Operation(
        kind=Kind.AUTHORISE,
        key=key,
        fingerprint=fingerprint_of(request),
        reference=request.reference,
        amount_minor=request.amount_minor,
        currency=request.currency,
        decline_code=decline_code,
        test_token=test_token,
    )
    return _first_answer(_insert(asked))


def capture(authorisation: Operation, *, amount_minor: int, key: str) -> GatewayPayment:
    """Take the money of an authorisation that is neither captured nor voided."""
    if amount_minor > authorisation.amount_minor:
        raise NotPossible(f"{authorisation.public_id} holds {authorisation.amount_minor}, not {amount_minor}")
    return _first_answer(_insert(_follower(authorisation, Kind.CAPTURE, amount_minor, key)))


def void(authorisation: Operation, *, key: str) -> GatewayPayment:
    """Let the money of an authorisation go that is neither captured nor voided."""
    return _first_answer(_insert(_follower(authorisation, Kind.VOID, authorisation.amount_minor, key)))


def refund(authorisation: Operation, *, amount_minor: int, key: str) -> GatewayPayment:
    """Give captured money back, in one part or several, never more than was captured."""
    asked = _follower(authorisation, Kind.REFUND, amount_minor, key)
    with transaction.atomic(using=DATABASE):
        Operation.objects.select_for_update().get(id=authorisation.id)
        if earlier := _earlier(asked):
            return _first_answer(earlier)
        if amount_minor > _refundable_minor(authorisation):
            raise NotPossible(f"{amount_minor} is more than {authorisation.public_id} has left to refund")
        asked.save(force_insert=True)
    return payment_of(authorisation.public_id)


def find(*, key: str, reference: str) -> GatewayPayment | None:
    """Read the payment authorised under `key`, or None; raises what it was declined with."""
    rows = Operation.objects.filter(Q(key=key, kind=Kind.AUTHORISE) | Q(authorisation__key=key), reference=reference)
    return _state(rows.order_by("created_at"))


def payment_of(authorisation_id: str) -> GatewayPayment:
    """Read a payment by its id."""
    row_id = _row_id(authorisation_id)
    rows = Operation.objects.filter(Q(id=row_id) | Q(authorisation=row_id))
    payment = _state(rows.order_by("created_at"))
    if payment is None:
        raise NotPossible(f"there is no authorisation {authorisation_id}")
    return payment


def authorisation(authorisation_id: str) -> Operation:
    """Fetch the row that an operation on `authorisation_id` follows."""
    row = Operation.objects.filter(id=_row_id(authorisation_id), kind=Kind.AUTHORISE, decline_code="").first()
    if row is None:
        raise NotPossible(f"there is no authorisation {authorisation_id}")
    return row


def fingerprint_of(*asked: object) -> str:
    """Digest what was asked, so that a key cannot be used for something else."""
    return hashlib.sha256(json.dumps(asked, default=vars).encode()).hexdigest()


def count_call(key: str) -> int:
    """Count a call under `key`; return how many there were with this one."""
    with transaction.atomic(using=DATABASE):
        Call.objects.bulk_create([Call(key=key)], ignore_conflicts=True)
        Call.objects.filter(key=key).update(calls=F("calls") + 1)
        return Call.objects.get(key=key).calls


def expect_arrival(request: AuthorisationRequest, *, key: str, arrives_at: datetime) -> None:
    """Leave an authorisation on its way, unknown here until `arrives_at`."""
    LateArrival.objects.create(
        key=key,
        fingerprint=fingerprint_of(request),
        reference=request.reference,
        amount_minor=request.amount_minor,
        currency=request.currency,
        arrives_at=arrives_at,
    )


def let_arrive(*, now: datetime, key: str | None = None) -> None:
    """Book what has arrived by `now`, of one key or of all; what finds its key taken is void."""
    due = LateArrival.objects.filter(arrives_at__lte=now)
    for late in due if key is None else due.filter(key=key):
        with transaction.atomic(using=DATABASE):
            arrived = Operation(
                kind=Kind.AUTHORISE,
                key=late.key,
                fingerprint=late.fingerprint,
                reference=late.reference,
                amount_minor=late.amount_minor,
                currency=late.currency,
            )
            Operation.objects.bulk_create([arrived], ignore_conflicts=True)
            late.delete()


def _row_id(authorisation_id: str) -> UUID:
    try:
        return UUID(authorisation_id.removeprefix(f"{Kind.AUTHORISE}_"))
    except ValueError:
        raise NotPossible(f"there is no authorisation {authorisation_id}") from None


def _insert(asked: Operation) -> Operation:
    """Write the row, or return the one that took its key."""
    try:
        asked.save(force_insert=True)
    except IntegrityError:
        earlier = _earlier(asked)
        if earlier is None:
            raise NotPossible(f"{asked.payment_id} is captured or voided already") from None
        return earlier
    return asked


def _earlier(asked: Operation) -> Operation | None:
    earlier = Operation.objects.filter(key=asked.key).first()
    if earlier and earlier.fingerprint != asked.fingerprint:
        raise KeyReused(asked.key)
    return earlier


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


def _refundable_minor(authorisation: Operation) -> int:
    moved: dict[str, int] = dict(authorisation.followers.values_list("kind").annotate(Sum("amount_minor")))
    return moved.get(Kind.CAPTURE, 0) - moved.get(Kind.REFUND, 0)


def _first_answer(row: Operation) -> GatewayPayment:
    """What the operation answered when it was done, again for every repetition."""
    if row.decline_code:
        raise _REFUSALS[row.decline_code]()
    if row.kind == Kind.AUTHORISE:
        return GatewayPayment(row.payment_id, PaymentStatus.AUTHORISED)
    if row.kind == Kind.CAPTURE:
        return GatewayPayment(row.payment_id, PaymentStatus.CAPTURED, capture_id=row.public_id)
    if row.kind == Kind.VOID:
        return GatewayPayment(row.payment_id, PaymentStatus.VOIDED)
    return payment_of(row.payment_id)


def _state(rows: Iterable[Operation]) -> GatewayPayment | None:
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
    [capture], refunds = of_kind[Kind.CAPTURE], of_kind[Kind.REFUND]
    refunded = bool(refunds) and sum(row.amount_minor for row in refunds) == capture.amount_minor
    return replace(
        authorised,
        status=PaymentStatus.REFUNDED if refunded else PaymentStatus.CAPTURED,
        capture_id=capture.public_id,
        refund_id=refunds[-1].public_id if refunds else None,
    )
