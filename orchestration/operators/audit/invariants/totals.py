"""What only sums over everything can show, made by the databases so that no row of a saga is read (A1, A2, A7, Q4)."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import BigIntegerField, Case, Count, F, Q, Sum, Value, When

from inventory import audit as stock
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants import repairs, settled
from orchestration.operators.audit.invariants.money import compare_sums
from orchestration.operators.audit.read_only import snapshot
from orchestration.operators.audit.snapshot import has_sandbox_gateway
from orchestration.operators.audit.values import first_id_at
from orchestration.participant.selection import Between, Those
from orchestration.protocol.states import ENDED
from orders.models import Order
from payments.gateways.sandbox.models import Kind, Operation

YOUNG = timedelta(hours=1)
"""Sagas younger than this are left out of sums that span databases: a request whose id is older has been accepted."""

CLOCKS_AHEAD = timedelta(days=1)
UNFINISHED_LIMIT = 2_000


def check(at: datetime, findings: Findings) -> None:
    """Hold the sums against each other, as they are `at` this moment.

    :raises CannotAudit: when a database is away or lacks a table.
    """
    with snapshot(ALIAS):
        _check_orders_of_sagas(findings)
        unfinished = _unfinished()
        unfinished |= repairs.read(since=at).under_way | settled.read().keys()
    with snapshot("inventory"):
        stock.check(stock.read(), findings)
    if not has_sandbox_gateway():
        return
    if len(unfinished) > UNFINISHED_LIMIT:
        findings.cannot_check(
            "Q4", f"in its sums: over {UNFINISHED_LIMIT} sagas are unfinished, or settled by a person"
        )
        return
    _check_money(at, Those(frozenset(unfinished)), findings)


def _check_orders_of_sagas(findings: Findings) -> None:
    sagas = SagaInstance.objects.using(ALIAS).filter(order_id__isnull=False)
    twice = sagas.values_list("order_id").annotate(count=Count("id")).order_by().filter(count__gt=1)
    for order_id, count in twice:
        findings.violated("A7", f"{count} sagas are for one order.", order=order_id)


def _unfinished() -> set[UUID]:
    going_on = SagaInstance.objects.using(ALIAS).exclude(phase__in=ENDED)
    return set(going_on.values_list("id", flat=True)[: UNFINISHED_LIMIT + 1])


def _check_money(at: datetime, unfinished: Those, findings: Findings) -> None:
    """The gateway's money is the orders' money, leaving out whatever may still change one of them."""
    young = Between(first_id_at(at - YOUNG), first_id_at(at + CLOCKS_AHEAD))
    with snapshot("orders"):
        due_by_currency = _worth(~young.sagas() & ~unfinished.sagas())
    with snapshot("gateway"):
        kept = _kept(~young.keys("authorisation__key") & ~unfinished.keys("authorisation__key"))
    compare_sums(kept, due_by_currency, findings)


def _worth(which: Q) -> Counter[str]:
    """Minor units by currency."""
    orders = Order.objects.filter(which).order_by().values_list("currency")
    return Counter(dict(orders.annotate(Sum("total_minor"))))


def _kept(which: Q) -> Counter[str]:
    """Minor units by currency, captured less refunded."""
    sign = Case(When(kind=Kind.REFUND, then=Value(-1)), default=Value(1), output_field=BigIntegerField())
    moved = Operation.objects.filter(which, kind__in=(Kind.CAPTURE, Kind.REFUND)).order_by().values_list("currency")
    return Counter(dict(moved.annotate(kept=Sum(F("amount_minor") * sign))))
