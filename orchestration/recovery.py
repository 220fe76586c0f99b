"""The loop that forgets no saga: claim what is due, decide what it is owed, send it.

Any orchestrator worker runs it, as does `manage.py saga resume`; any number may run at once, and none is needed by the
others. It looks at sagas whose `due_at` has passed: those whose retry is due, whose deadline has passed, whose message
never left, and those that have not been heard of for a while. Of the last it first finds out whether the message is
lost or merely waits (`markers`), so that it never feeds a backlog.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.db import close_old_connections, transaction
from django.db.models import Q, QuerySet
from kombu.exceptions import OperationalError

from orchestration import dispatch, engine, markers
from orchestration.models import ALIAS, SagaInstance
from orchestration.sagas import UnknownDefinition, definition_of
from orchestration.states import DeadlinePassed, Due, Phase

logger = logging.getLogger(__name__)

BATCH = 50


def utc_now() -> datetime:
    return datetime.now(UTC)


def run_once(*, clock: Callable[[], datetime] = utc_now) -> int:
    """Look at every saga that is due; return how many. One saga's error does not stop the others.

    Each is sent at the time it is sent and not at the round's beginning, or a marker that overtook a long round would
    prove its last messages lost.
    """
    if not _due(clock()).exists() or not dispatch.broker_is_ready():
        return 0
    seen = 0
    while not dispatch.broker_is_away() and (batch := _claim(clock())):
        for instance in batch:
            _look_at(instance, clock())
        seen += len(batch)
    _send_markers(clock())
    return seen


def run_forever(stopped: threading.Event) -> None:
    """Run a round every `RECOVERY_PERIOD` until `stopped`; outages of database or broker are waited out."""
    while not stopped.wait(settings.RECOVERY_PERIOD.total_seconds()):
        close_old_connections()
        try:
            run_once()
        except Exception:  # the loop outlives whatever a round ran into
            logger.exception("a round of recovery failed; the next one comes")


def _due(now: datetime) -> QuerySet[SagaInstance]:
    return SagaInstance.objects.using(ALIAS).filter(due_at__lte=now)


def _claim(now: datetime) -> list[SagaInstance]:
    """Take due sagas that nobody else is looking at, and push their `due_at` so that nobody will for a while."""
    late = Q(phase=Phase.RUNNING, deadline_at__lte=now)
    with transaction.atomic(using=ALIAS):
        due = _due(now).filter(Q(in_flight=False) | late | markers.lost()).order_by("due_at")
        batch = list(due.select_for_update(skip_locked=True)[:BATCH])
        claimed = SagaInstance.objects.using(ALIAS).filter(pk__in=[instance.pk for instance in batch])
        claimed.update(due_at=now + settings.PRESUMED_LOST_AFTER)
    return batch


def _look_at(instance: SagaInstance, now: datetime) -> None:
    late = instance.phase == Phase.RUNNING and instance.deadline_at <= now
    event = DeadlinePassed() if late else Due(lost=instance.in_flight, token=instance.token)
    try:
        logger.warning("saga %s is due in phase %s: %s", instance.pk, instance.phase, event)
        engine.apply(instance.pk, event, now=now)
    except Exception:  # one saga's error never stops the loop; it is due again later
        logger.exception("saga %s: recovery failed, it will be tried again", instance.pk)


def _send_markers(now: datetime) -> None:
    """For sagas not heard of for a while, find out whether their messages are lost."""
    unheard = _due(now).filter(in_flight=True).values_list("definition", "phase").distinct()
    for route, saga in {(markers.route_of(name, phase), name) for name, phase in unheard}:
        try:
            markers.send(route, markers.queues_of(route, definition_of(saga), settings.TOPOLOGY), now=now)
        except (OperationalError, OSError, UnknownDefinition) as error:
            logger.warning("no marker sent on %s: %s", route, error)
