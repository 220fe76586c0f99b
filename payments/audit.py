"""Reads the payments service for an audit: payments and the refunds of them."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from uuid import UUID

from django.db.models import Count, Q, Sum

from orchestration.contracts.audit import Checked, MoneyBackFacts, PaymentFacts, RefundFacts, StepEffect
from orchestration.contracts.payments import authorise_payment, capture_payment, give_back
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection, of_no_saga
from orchestration.text.formatting import money
from payments import credit_audit
from payments.credit_audit import check_wallets, credit_rows
from payments.free_orders import is_free
from payments.gateways.port import PaymentStatus
from payments.gateways.sandbox.audit import books
from payments.models import Payment, Refund, RefundState

COLUMNS = (
    "saga_id",
    "order_id",
    "status",
    "currency",
    "amount_minor",
    "captured_minor",
    "refunded_minor",
    "authorisation_id",
    "capture_id",
)
REFUND_COLUMNS = ("saga_id", "step", "amount_minor", "status", "gateway_id", "destination")


def read_payments(chosen: Selection) -> dict[UUID, PaymentFacts]:
    """Return payments with their refunds, by saga."""
    refunds: defaultdict[UUID, list[RefundFacts]] = defaultdict(list)
    of_payments = Refund.objects.filter(chosen.sagas("payment__saga_id"))
    for paid_by, *columns in of_payments.values_list("payment__saga_id", *REFUND_COLUMNS).iterator(BATCH):
        refunds[paid_by].append(RefundFacts(*columns))
    rows = Payment.objects.filter(chosen.sagas()).values_list(*COLUMNS).iterator(BATCH)
    return {saga_id: _facts(tuple(refunds.get(saga_id, ())), *columns) for saga_id, *columns in rows}


def read_change_refunds(chosen: Selection) -> dict[UUID, MoneyBackFacts]:
    """Return the money that changes of orders give back, by the saga of the change."""
    credited = credit_audit.credited(chosen)
    rows = Refund.objects.filter(chosen.sagas(), step=give_back.step).order_by().values_list("saga_id")
    requested = Count("pk", filter=Q(status=RefundState.REQUESTED))
    return {
        saga_id: MoneyBackFacts(bool(count), *credited.get(saga_id, (0, "")))
        for saga_id, count in rows.annotate(requested=requested).iterator(BATCH)
    }


def effect_of(payment: PaymentFacts) -> StepEffect:
    """Return the effect of authorising."""
    return StepEffect.REVERSED if payment.is_reversed else StepEffect.LIVE


def capture_effect_of(payment: PaymentFacts, is_repaired: bool) -> StepEffect | None:
    """Return the effect of capturing. Only a repair refunds what was captured without a ledger row."""
    if not payment.was_captured:
        return None
    return StepEffect.REVERSED if payment.is_reversed and is_repaired else StepEffect.LIVE


def refund_effect_of(back: MoneyBackFacts) -> StepEffect:
    """Return the effect of giving back. A refund that failed later has this effect, too: R6 reports it."""
    return StepEffect.NONE if back.is_requested else StepEffect.LIVE


def lacks(payment: PaymentFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout lacks."""
    if payment and payment.was_captured and not payment.is_reversed:
        return ""
    return f"its payment is {payment.status if payment else 'missing'}"


def leftover(payment: PaymentFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "" if payment.is_reversed else f"its payment is {payment.status}"


def changes_of(payment: PaymentFacts) -> frozenset[UUID]:
    """Return the changes of the order that gave back a part of the payment."""
    return frozenset(refund.saga_id for refund in payment.refunds if refund.step == give_back.step)


def check(payments: Mapping[UUID, PaymentFacts]) -> Iterator[Checked]:
    """Check R1 and R6 for every payment."""
    for saga_id, payment in payments.items():
        ids = {"saga": saga_id, "order": payment.order_id}
        yield Checked("R1", tuple(_refund_faults(payment)), ids)
        yield Checked("R6", (), ids)
        for refund in payment.refunds:
            if refund.status == RefundState.FAILED:
                amount = money(refund.amount_minor, payment.currency)
                fault = f"Refund {refund.gateway_id} of {amount} has failed: the customer has not got the money."
                yield Checked("R6", (fault,), {**ids, "refund": refund.gateway_id})


def failed_refunds(left_out: Sequence[Selection]) -> Counter[str]:
    """Return the sum of refunds that failed, in minor units by currency, without those of sagas `left_out`."""
    counted = of_no_saga(left_out, "saga_id", "payment__saga_id")
    failed = Refund.objects.filter(counted, status=RefundState.FAILED).order_by().values_list("payment__currency")
    return Counter(dict(failed.annotate(Sum("amount_minor"))))


def other_money(left_out: Sequence[Selection]) -> Counter[str]:
    """Return the money at the gateway that no order is worth, in minor units by currency."""
    sums = failed_refunds(left_out)
    sums.update(credit_audit.other_money(left_out))
    return sums


def _facts(
    refunds: tuple[RefundFacts, ...],
    order_id: UUID,
    status: str,
    currency: str,
    amount_minor: int,
    captured_minor: int,
    refunded_minor: int,
    authorisation_id: str,
    capture_id: str | None,
) -> PaymentFacts:
    by_changes = tuple(refund for refund in refunds if refund.step == give_back.step)
    free = is_free(authorisation_id)
    is_repaid = len(by_changes) < len(refunds) or refunded_minor > _lasting_minor(by_changes)
    return PaymentFacts(
        order_id,
        sys.intern(status),
        sys.intern(currency),
        amount_minor,
        captured_minor,
        refunded_minor,
        authorisation_id,
        capture_id,
        is_reversed=status == PaymentStatus.VOIDED or is_repaid or (free and status == PaymentStatus.REFUNDED),
        is_at_the_gateway=not free,
        failed_minor=sum(refund.amount_minor for refund in refunds if refund.status == RefundState.FAILED),
        refunds=refunds,
    )


def _refund_faults(payment: PaymentFacts) -> Iterator[str]:
    counted, given_back = payment.refunded_minor, _lasting_minor(payment.refunds)
    if counted != given_back:
        amounts = money(counted, payment.currency), money(given_back, payment.currency)
        yield f"The payment has given back {amounts[0]}, its refunds {amounts[1]}."
    if given_back > payment.captured_minor:
        captured = money(payment.captured_minor, payment.currency)
        yield f"Its refunds give back {money(given_back, payment.currency)}, and {captured} was captured."


def _lasting_minor(refunds: tuple[RefundFacts, ...]) -> int:
    return sum(refund.amount_minor for refund in refunds if refund.status != RefundState.FAILED)


audit = ServiceAudit(
    rows=(
        AuditedRows(
            facts=PaymentFacts,
            kind="payment",
            action=authorise_payment,
            read=read_payments,
            effect=effect_of,
            later_effects={capture_payment: capture_effect_of},
            order_of=attrgetter("order_id"),
            lacks=lacks,
            leftover=leftover,
            check=check,
            changes=changes_of,
        ),
        AuditedRows(
            facts=MoneyBackFacts,
            kind="refund",
            action=give_back,
            read=read_change_refunds,
            effect=refund_effect_of,
        ),
        credit_rows,
    ),
    books=(books,),
    invariants={
        "R6": "no refund has failed",
        "W1": "a wallet's balance is the sum of its movements, and not negative",
    },
    check_everything=check_wallets,
    other_money=other_money,
)
