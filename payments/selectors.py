"""Reads of payments."""

from collections.abc import Collection
from itertools import chain
from uuid import UUID

from django.db.models import Case, F, Q, Sum, When

from orchestration.participant.money import Money
from orchestration.participant.search_key import Found
from payments.gateways.port import PaymentStatus
from payments.models import Payment, Refund, RefundState


def payments_by_saga(saga_ids: Collection[UUID] | None = None) -> dict[UUID, Payment]:
    """Return the payment of each of these sagas that has one, or of every saga."""
    payments = Payment.objects.all() if saga_ids is None else Payment.objects.filter(saga_id__in=saga_ids)
    return {payment.saga_id: payment for payment in payments}


def found_by_reference(reference: str) -> Found:
    """Return the saga whose authorisation, capture or refund has this id at the gateway.

    A refund is found with the saga that made it and the saga whose payment it gives back.
    """
    called_so = Q(authorisation_id=reference) | Q(capture_id=reference)
    of_payments = Payment.objects.filter(called_so).values_list("saga_id", flat=True)
    of_refunds = Refund.objects.filter(gateway_id=reference).values_list("saga_id", "payment__saga_id")
    return Found(frozenset({*of_payments, *chain.from_iterable(of_refunds)}))


def money_held(saga_ids: Collection[UUID]) -> dict[tuple[str, str], int]:
    """Return what is authorised, and what is captured and not refunded, for these sagas: in minor units, by
    (currency, status).
    """
    held = Payment.objects.filter(
        saga_id__in=saga_ids, status__in=(PaymentStatus.AUTHORISED.value, PaymentStatus.CAPTURED.value)
    )
    kept = Case(When(captured_minor=0, then=F("amount_minor")), default=F("captured_minor") - F("refunded_minor"))
    sums = held.values_list("currency", "status").annotate(kept=Sum(kept)).order_by()
    return {(currency, status): amount_minor for currency, status, amount_minor in sums}


def money_of_sagas(saga_ids: Collection[UUID]) -> dict[UUID, Money]:
    """Return the state of the money of these sagas. Sagas without money are absent.

    The money of a change of an order is the payment of which it gives a part back.
    """
    refunds = Refund.objects.filter(saga_id__in=saga_ids).select_related("payment")
    of_changes = {refund.saga_id: _money(refund.payment, refund) for refund in refunds if refund.payment}
    return of_changes | {saga_id: _money(payment) for saga_id, payment in payments_by_saga(saga_ids).items()}


def _money(payment: Payment, refund: Refund | None = None) -> Money:
    return Money(
        authorised_minor=payment.amount_minor,
        captured_minor=payment.captured_minor,
        voided_minor=payment.amount_minor if payment.status == PaymentStatus.VOIDED else 0,
        refunded_minor=payment.refunded_minor,
        currency=payment.currency,
        reference=payment.authorisation_id,
        requested_minor=refund.amount_minor if refund and refund.status == RefundState.REQUESTED else 0,
    )
