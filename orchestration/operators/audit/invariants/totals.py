"""Checks what concerns all sagas together: sums, which the databases add up (A1, A2, A7, Q4), and locks (L1 to L6)."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from django.db.models import Count

from orchestration.contracts.order_changes import ChangeRequested
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants import locks, repairs, settled
from orchestration.operators.audit.invariants.money import compare_sums
from orchestration.operators.audit.read_only import snapshot
from orchestration.operators.audit.values import first_id_at
from orchestration.participant.audit import ServiceAudit
from orchestration.participant.participant import participants
from orchestration.participant.selection import Between, Those
from orchestration.protocol.states import ENDED
from orchestration.sagas import definitions

YOUNG = timedelta(hours=1)
"""Sagas younger than this are left out of sums over several databases. Requests with older ids have been accepted."""

CLOCKS_AHEAD = timedelta(days=1)
"""Sagas with ids up to this far in the future are left out, too: a clock may be ahead."""
UNFINISHED_LIMIT = 2_000
"""With more sagas to leave out than this, money sums are not checked."""


def check(at: datetime, findings: Findings) -> None:
    """Check the locks, and compare the sums of all databases, as they are `at` this moment.

    :raises CannotAudit: when a database cannot be reached or lacks a table.
    """
    with snapshot(ALIAS):
        _check_orders_of_sagas(findings)
        unfinished = _unfinished()
        unfinished |= repairs.read(since=at).under_way | _settled()
    locks.check(findings)
    audits = {service: participant.audit for service, participant in participants().items()}
    for service, audit in audits.items():
        if audit.check_everything:
            with snapshot(service):
                findings.take(audit.check_everything())
    takers = [books for audit in audits.values() for books in audit.books if books.kept]
    if not takers or not all(books.can_be_read() for books in takers):
        return
    if len(unfinished) > UNFINISHED_LIMIT:
        findings.cannot_check(
            "Q4", f"in its sums: over {UNFINISHED_LIMIT} sagas are unfinished, or settled by a person"
        )
        return
    _check_money(audits, at, Those(frozenset(unfinished)), findings)


def _check_orders_of_sagas(findings: Findings) -> None:
    changes = [name for name, definition in definitions.items() if definition.request is ChangeRequested]
    first_tries = SagaInstance.objects.using(ALIAS).filter(order_id__isnull=False, retry_of__isnull=True)
    sagas = first_tries.exclude(definition__in=changes)
    twice = sagas.values_list("order_id").annotate(count=Count("id")).order_by().filter(count__gt=1)
    for order_id, count in twice:
        findings.violated("A7", f"{count} sagas are for one order.", order=order_id)


def _settled() -> set[UUID]:
    """Return the sagas of which an operator settled a step, and the checkouts whose orders such sagas changed."""
    sagas = set(settled.read())
    changes = SagaInstance.objects.using(ALIAS).filter(pk__in=sagas, request__has_key="checkout_id")
    return sagas | {UUID(checkout_id) for checkout_id in changes.values_list("request__checkout_id", flat=True)}


def _unfinished() -> set[UUID]:
    going_on = SagaInstance.objects.using(ALIAS).exclude(phase__in=ENDED)
    return set(going_on.values_list("id", flat=True)[: UNFINISHED_LIMIT + 1])


def _check_money(audits: Mapping[str, ServiceAudit], at: datetime, unfinished: Those, findings: Findings) -> None:
    """Check Q4 over everything, without sagas that may still change the sums."""
    left_out = (Between(first_id_at(at - YOUNG), first_id_at(at + CLOCKS_AHEAD)), unfinished)
    due_by_currency, kept = Counter[str](), Counter[str]()
    for service, audit in audits.items():
        for due in filter(None, (audit.worth, audit.other_money)):
            with snapshot(service):
                due_by_currency.update(due(left_out))
    for books in chain.from_iterable(audit.books for audit in audits.values()):
        if books.kept:
            with snapshot(books.name):
                kept.update(books.kept(left_out))
    compare_sums(kept, due_by_currency, findings)
