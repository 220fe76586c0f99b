"""Reads and checks store credit for an audit: wallets, and what orders were paid from them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from uuid import UUID

from django.db.models import Sum

from orchestration.contracts.audit import Checked, CreditFacts, StepEffect
from orchestration.contracts.store_credit import spend_credit
from orchestration.participant.audit import BATCH, AuditedRows
from orchestration.participant.selection import Selection, of_no_saga
from payments.models import CreditPayment, Wallet, WalletMovement

COLUMNS = ("pk", "order_id", "wallet__currency", "amount_minor", "refunded_minor", "state")


def read_credit(chosen: Selection) -> dict[UUID, CreditFacts]:
    """Return what was paid by store credit, by saga."""
    rows = CreditPayment.objects.filter(chosen.sagas()).order_by("pk").values_list(*COLUMNS)
    return {
        saga_id: CreditFacts(order_id, currency, paid, refunded, state == CreditPayment.State.RETURNED)
        for saga_id, order_id, currency, paid, refunded, state in rows.iterator(BATCH)
    }


def effect_of(credit: CreditFacts) -> StepEffect:
    """Return the effect of spending credit."""
    return StepEffect.REVERSED if credit.was_returned else StepEffect.LIVE


def lacks(credit: CreditFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout with store credit lacks."""
    return "its store credit is not spent" if credit is None or credit.was_returned else ""


def leftover(credit: CreditFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "" if credit.was_returned else "its store credit is still spent"


def check_wallets() -> Iterator[Checked]:
    """Check W1 of every wallet."""
    sums = WalletMovement.objects.order_by().values_list("wallet_id").annotate(Sum("amount_minor"))
    moved: dict[UUID, int] = dict(sums)
    wallets = Wallet.objects.order_by("pk").values_list("pk", "balance_minor", "incoming_minor")
    for wallet_id, balance, incoming in wallets.iterator(BATCH):
        faults = []
        if balance != moved.get(wallet_id, 0):
            faults.append(f"The wallet has {balance} minor units, its movements {moved.get(wallet_id, 0)}.")
        if balance < 0 or incoming < 0:
            faults.append(f"The wallet has {balance} minor units, and {incoming} incoming.")
        yield Checked("W1", tuple(faults), {"wallet": wallet_id})


credit_rows = AuditedRows(
    facts=CreditFacts,
    kind="store credit",
    action=spend_credit,
    read=read_credit,
    effect=effect_of,
    order_of=attrgetter("order_id"),
    lacks=lacks,
    leftover=leftover,
)


def other_money(left_out: Sequence[Selection]) -> Counter[str]:
    """Return what the gateway keeps because refunds went to store credit, less what store credit paid.

    Amounts are in minor units by currency. Sagas `left_out` do not count.
    """
    paid = CreditPayment.objects.filter(of_no_saga(left_out, "saga_id"), state=CreditPayment.State.SPENT)
    spent = paid.order_by().values_list("wallet__currency")
    counted = of_no_saga(left_out, "saga_id", "checkout_id")
    refunded = WalletMovement.objects.filter(counted, kind=WalletMovement.Kind.REFUNDED)
    back = refunded.order_by().values_list("wallet__currency")
    sums = Counter(dict(back.annotate(Sum("amount_minor"))))
    sums.subtract(dict(spent.annotate(Sum("amount_minor"))))
    return sums


def credited(chosen: Selection) -> dict[UUID, tuple[int, str]]:
    """Return what changes of orders gave back to store credit: minor units and currency, by the saga of the change."""
    back = WalletMovement.objects.filter(chosen.sagas(), kind=WalletMovement.Kind.REFUNDED)
    rows = back.values_list("saga_id", "amount_minor", "wallet__currency").iterator(BATCH)
    return {saga_id: (amount_minor, currency) for saga_id, amount_minor, currency in rows}
