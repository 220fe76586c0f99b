"""The loop that carries out batches. Every orchestrator worker runs it, and any number may run at once.

A member is taken up under the batch's lock, which also keeps the rate, for a while: should its worker die, another
takes it up. It is done in one transaction with what it does to its saga, so that it is never done twice.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from orchestration.db import clocks
from orchestration.engine.engine import NoSuchSaga
from orchestration.execution.periodic import run_periodically
from orchestration.models import ALIAS, Batch, BatchMember, OperatorLogEntry, SagaInstance
from orchestration.models.actions import Code
from orchestration.models.operators import BatchState
from orchestration.operators.actions.batch_pacing import SLOWEST, Verdict, verdict
from orchestration.operators.actions.batches import UNDER_WAY, ask_of, members_of, pace_of, tally_of
from orchestration.operators.actions.perform import carry_out
from orchestration.operators.insight.saga_filter import SagaFilter, condition
from orchestration.text.cleaning import text_of

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=1)
"""After this time another worker may take a member that was taken up and is not done."""
CATCHES_UP = timedelta(seconds=1)
"""The time that a batch may be behind its rate and catch up."""
AT_A_TIME = 50
"""The most members of one batch in a row, before the next batch."""
LONGEST_PAUSE = timedelta(seconds=1 / SLOWEST) + LEASE
"""A `next_at` later than this from now was written by a wrong clock, and is ignored."""
TRIES = 5
"""The number of tries on a saga that changes during each try. After that it is left for later."""
TAKEN_UP_AT_MOST = 10
"""A member that raises, or whose worker dies, is given up after this many times: with the lease, after ten minutes."""
BETWEEN_ROUNDS = timedelta(milliseconds=100)
"""The time between two rounds while a batch is under way."""

State = BatchMember.State


class _DoneAlready(Exception):
    """Another worker has done the member: roll back."""


class _Changed(Exception):
    """The saga has changed since it was checked against the filter."""


def run_forever(stopped: threading.Event) -> None:
    """Run rounds until `stopped`. During an outage, wait and try again."""
    period: timedelta = settings.RECOVERY_PERIOD
    once = partial(run_once, stopped=stopped.is_set)
    run_periodically(stopped, once, every=period, of="batches", busy=min(period, BETWEEN_ROUNDS))


def run_once(*, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Judge every batch that is under way, and do its members that are due. Return whether a batch was under way."""
    under_way = list(Batch.objects.using(ALIAS).filter(state__in=UNDER_WAY).order_by("asked_at"))
    for batch in under_way:
        if _goes_on(batch):
            for _ in range(AT_A_TIME):
                if stopped() or (member := take_up(batch.pk)) is None:
                    break
                do_member(member)
    return bool(under_way)


def take_up(batch_id: UUID) -> BatchMember | None:
    """Take up the next member that is due; None when none is due, or while another worker takes one up.

    A member that was taken up too often is given up instead. The next call then takes the next member.
    """
    now = clocks.now()
    turn = Q(next_at__lte=now) | Q(next_at__gt=now + LONGEST_PAUSE)
    with transaction.atomic(using=ALIAS):
        due = Batch.objects.using(ALIAS).filter(turn, pk=batch_id, state__in=UNDER_WAY)
        batch = due.select_for_update(skip_locked=True).first()
        member = _next_member(batch, now) if batch else None
        if batch is None or member is None:
            return None
        if member.times_taken_up >= TAKEN_UP_AT_MOST:
            _give_up(member, f"{TAKEN_UP_AT_MOST} times a worker began it and did not finish.")
            return None
        member.times_taken_up += 1
        _row(member).update(state=State.TAKEN_UP, leased_until=now + LEASE, times_taken_up=member.times_taken_up)
        earliest = min(max(batch.next_at or now, now - CATCHES_UP), now)
        next_at = earliest + timedelta(seconds=1 / batch.per_second)
        due.update(state=BatchState.RUNNING, started_at=batch.started_at or now, next_at=next_at)
    member.batch = batch
    return member


def do_member(member: BatchMember) -> None:
    """Carry out the batch's action on the member's saga, if that still meets the filter. Errors are only logged."""
    try:
        for _ in range(TRIES):
            if _do(member):
                return
    except NoSuchSaga:
        _pass_over(member, "The saga has been purged.")
    except _DoneAlready:
        logger.info("%s has been done by another worker", member)
    except Exception as error:  # the member is taken up again when its lease has ended
        logger.exception("%s of batch %s failed, time %d", member, member.batch_id, member.times_taken_up)
        failure = f"failed: {type(error).__name__}: {text_of(error)}"
        if member.times_taken_up < TAKEN_UP_AT_MOST:
            _row(member).filter(state=State.TAKEN_UP).update(detail=f"Will be retried. It {failure}")
        else:
            _give_up(member, f"it {failure}")


def _goes_on(batch: Batch) -> bool:
    tally = tally_of(batch)
    row = Batch.objects.using(ALIAS).filter(pk=batch.pk, state__in=UNDER_WAY)
    match verdict(pace_of(batch), tally):
        case Verdict.STOP:
            why = f"{tally.failed} of {tally.failed + tally.worked} failed, more than {batch.stop_above_percent:g} %."
            row.update(state=BatchState.STOPPED, stopped_why=why, ended_at=clocks.now())
            logger.warning("batch %s stops automatically: %s", batch.pk, why)
            return False
        case Verdict.FINISH:
            row.update(state=BatchState.FINISHED, ended_at=clocks.now())
            return False
        case _:
            return True


def _next_member(batch: Batch, now: datetime) -> BatchMember | None:
    """Return the first member that waits or whose worker has died; none behind the canary while that is not through."""
    to_do = Q(state=State.WAITING) | Q(state=State.TAKEN_UP, leased_until__lte=now)
    member = members_of(batch).filter(to_do).order_by("position").first()
    if member is None or member.position < batch.canary:
        return member
    through = Q(state__in=(State.PASSED_OVER, State.GIVEN_UP)) | Q(state=State.DONE, entry__observed_at__isnull=False)
    return None if members_of(batch).filter(position__lt=batch.canary).exclude(through).exists() else member


def _do(member: BatchMember) -> bool:
    """Carry out the action on the member's saga, or pass it over. Return False if the saga changed in between."""
    version = _version_of(member)
    if version is None:
        _pass_over(member, f"It is not {member.batch.wanted_in_words} any more.")
        return True

    def note(entry: OperatorLogEntry) -> None:
        if entry.code == Code.CHANGED_MEANWHILE:
            raise _Changed
        if not _row(member).filter(state=State.TAKEN_UP).update(state=State.DONE, entry=entry, detail=""):
            raise _DoneAlready

    try:
        carry_out(member.saga_id, ask_of(member.batch), expected_version=version, batch=member.batch, alongside=note)
    except _Changed:
        return False
    return True


def _version_of(member: BatchMember) -> int | None:
    """Return the saga's version, if the saga still meets the filter."""
    still = condition(SagaFilter.from_json(member.batch.wanted), now=clocks.now())
    found = SagaInstance.objects.using(ALIAS).filter(still, pk=member.saga_id)
    return found.values_list("version", flat=True).first()


def _pass_over(member: BatchMember, why: str) -> None:
    _row(member).filter(state=State.TAKEN_UP).update(state=State.PASSED_OVER, detail=why)


def _give_up(member: BatchMember, why: str) -> None:
    logger.error("%s of batch %s is given up: %s", member, member.batch_id, why)
    _row(member).filter(state=State.TAKEN_UP).update(state=State.GIVEN_UP, detail=f"It is given up: {why}")


def _row(member: BatchMember) -> QuerySet[BatchMember]:
    return BatchMember.objects.using(ALIAS).filter(pk=member.pk)
