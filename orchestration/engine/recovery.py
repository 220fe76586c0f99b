"""The recovery loop: it claims sagas that are due, applies the event that is due, and dispatches them.

Every orchestrator worker runs it, as does `manage.py saga resume --stuck`. Any number of loops may run at once. A saga
is due when its `due_at` has passed: a retry is due, the deadline has passed, a message was never sent, or no report has
arrived for a while. In the last case a marker first shows whether the message is lost or still waits in a queue, so
that recovery does not add to a backlog.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from kombu.exceptions import OperationalError

from orchestration.db import clocks
from orchestration.engine import engine, markers
from orchestration.engine.deadlocks import DeadlockSearch
from orchestration.engine.engine import Engine
from orchestration.engine.markers import queues_of, route_of
from orchestration.execution.periodic import run_periodically
from orchestration.log_context import about
from orchestration.models import SagaInstance
from orchestration.protocol.events import DeadlinePassed, Due
from orchestration.protocol.saga import LONGEST_WAIT
from orchestration.protocol.states import Phase
from orchestration.sagas import UnknownDefinition

logger = logging.getLogger(__name__)

BATCH = 50


class Markers(Protocol):
    """Sends markers, and checks what returned markers prove. The module `markers` implements it."""

    def send(self, route: str, queues: list[str], /, *, now: datetime) -> bool: ...

    def confirm(self) -> None: ...


@dataclass(frozen=True)
class Recovery:
    """Runs recovery rounds with an engine, its store and its broker. `markers` shows which messages are lost."""

    engine: Engine
    markers: Markers

    def run_once(self, *, clock: Callable[[], datetime] = clocks.now) -> int:
        """Process every saga that is due, and return their number. One saga's error does not stop the others.

        Each message gets the time at which it is sent, not that of the round's beginning. Otherwise a marker sent
        during a long round would wrongly prove the last messages of the round lost.
        """
        store, broker = self.engine.store, self.engine.broker
        self._bring_forward(clock())
        DeadlockSearch(self.engine).search(now=clock())  # all of them: sagas that stand still cause no event
        if not store.is_any_due(clock()) or not broker.broker_is_ready():
            return 0
        self._confirm_markers()
        seen = 0
        while not broker.broker_is_away() and (batch := store.claim_due(clock(), BATCH)):
            for instance in batch:
                self._process(instance, clock())
            seen += len(batch)
        self._send_markers(clock())
        return seen

    def _bring_forward(self, now: datetime) -> None:
        """Make sagas due now whose `due_at` is later than any wait allows: a wrong clock wrote it."""
        longest = settings.PRESUMED_LOST_AFTER + LONGEST_WAIT
        if brought := self.engine.store.bring_forward(now, now + longest):
            message = "%s sagas were due in more than %s, which a wrong clock must have written: they are due now"
            logger.warning(message, brought, longest)

    def _process(self, instance: SagaInstance, now: datetime) -> None:
        late = instance.phase == Phase.RUNNING and instance.deadline_at <= now
        event = DeadlinePassed() if late else Due(lost=instance.in_flight, token=instance.token)
        with about([instance.pk]):
            try:
                logger.warning("saga %s is due in phase %s: %s", instance.pk, instance.phase, event)
                self.engine.apply(instance.pk, event, now=now)
            except Exception:  # the error of one saga must not stop the loop; the saga is due again later
                logger.exception("saga %s: recovery failed, it will be tried again", instance.pk)

    def _confirm_markers(self) -> None:
        try:
            self.markers.confirm()
        except (OperationalError, OSError) as error:
            logger.warning("workers cannot be asked what markers overtook: %s", error)

    def _send_markers(self, now: datetime) -> None:
        """Send markers for sagas without a report for a while, to learn whether their messages are lost."""
        silent = self.engine.store.without_report(now)
        for route, name in {(route_of(name, phase), name) for name, phase in silent}:
            try:
                queues = queues_of(route, self.engine.definition_of(name), settings.TOPOLOGY)
                self.markers.send(route, queues, now=now)
            except (OperationalError, OSError, UnknownDefinition) as error:
                logger.warning("no marker sent on %s: %s", route, error)


_recovery = Recovery(engine.default, markers)
run_once = _recovery.run_once


def run_forever(stopped: threading.Event) -> None:
    """Run a round every `RECOVERY_PERIOD` until `stopped`. Outages of database or broker only delay it."""
    run_periodically(stopped, run_once, every=settings.RECOVERY_PERIOD, of="recovery")
