"""Checks of sagas: recovery runs, few sagas are parked or stuck, and the last audit found nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min

from config.doctor.lines import Line, fail, ok, warn
from orchestration.db import clocks
from orchestration.engine import preflight
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.audit import queries
from orchestration.operators.insight.counts import Count, count_of
from orchestration.operators.insight.saga_filter import STUCK_AFTER, SagaFilter, matching
from orchestration.operators.insight.sources import Unavailable, read
from orchestration.operators.insight.status import SagaStatus
from orchestration.participant.encryption import SealBroken
from orchestration.protocol.states import ENDED
from orchestration.text import formatting

LATE = 30
"""Periods of recovery that a due saga may wait. Recovery takes due sagas in batches."""


def look() -> Iterator[Line]:
    """Check the sagas. If their database does not answer, yield one line about that."""
    found = read("the database of orchestration", lambda: list(_look(clocks.now())))
    if isinstance(found, Unavailable):
        yield fail("sagas", found.why, "see the database orchestration")
    else:
        yield from found


def _look(now: datetime) -> Iterator[Line]:
    yield _recovery(now)
    yield _parked(count_of(matching(SagaFilter(statuses=frozenset({SagaStatus.PARKED})), now=now)))
    yield _stuck(count_of(matching(SagaFilter(stuck_for=STUCK_AFTER), now=now).filter(parked=False)))
    yield _encrypted()
    yield _definitions()
    yield _audit(now)


def _recovery(now: datetime) -> Line:
    due = SagaInstance.objects.using(ALIAS).filter(due_at__lte=now).aggregate(oldest=Min("due_at"))["oldest"]
    late = now - due if due else timedelta(0)
    if late > LATE * settings.RECOVERY_PERIOD:
        seen = f"a saga has been due for {formatting.span(late)}"
        return fail("recovery", seen, "start a worker with -Q orchestrator; until then: manage.py saga resume --stuck")
    return ok("recovery", f"the oldest due saga has waited for {formatting.span(late)}" if due else "no saga is due")


def _parked(count: Count) -> Line:
    if count.number:
        return warn("parked sagas", f"{count}", "manage.py saga list --status parked; then manage.py saga why ID")
    return ok("parked sagas", "none")


def _stuck(count: Count) -> Line:
    after = formatting.span(STUCK_AFTER)
    if count.number:
        do = "manage.py saga list --stuck-longer-than 5m; then manage.py saga why ID"
        return warn("stuck sagas", f"{count} without progress for {after}, not counting parked ones", do)
    return ok("stuck sagas", f"none without progress for {after}, not counting parked ones")


def _encrypted() -> Line:
    """Check for unfinished sagas whose payment method cannot be decrypted: their payment cannot be authorised."""
    failing = SagaInstance.objects.using(ALIAS).filter(last_error=SealBroken.__name__).exclude(phase__in=ENDED)
    if count := failing.count():
        do = "add the key that encrypted them to SHOP_SEALING_KEYS of the payments workers, or: manage.py saga cancel"
        return fail("sealing keys", f"none opens the payment method of unfinished sagas: {count}", do)
    return ok("sealing keys", "no unfinished saga has failed for a sealing key")


def _definitions() -> Line:
    problems = preflight.inspect().problems
    if problems:
        return fail("definitions", "; ".join(problems), "deploy the code that has them; see manage.py saga preflight")
    return ok("definitions", "this code has the definition of every unfinished saga")


def _audit(now: datetime) -> Line:
    audits = queries.audit_state(now=now)
    if audits.error:
        return warn("audit", f"the last one did not finish: {audits.error}", "manage.py audit --write")
    if audits.open:
        return fail("audit", f"{formatting.count(audits.open, 'open finding')}", "manage.py audit findings")
    if audits.ok is None or audits.ended_at is None:
        return warn("audit", "none has finished yet", "manage.py audit --write")
    seen = f"the last one ended {formatting.span(now - audits.ended_at)} ago"
    if audits.is_late:
        return warn("audit", f"{seen}; the next one is late", "see the log of the workers with -Q orchestrator")
    return ok("audit", seen + (f", {formatting.count(audits.accepted, 'accepted finding')}" if audits.accepted else ""))
