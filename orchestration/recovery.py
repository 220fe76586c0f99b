"""The loop that forgets no saga: claim what is due, decide what it is owed, send it.

Any orchestrator worker runs it, as does `manage.py saga resume`; any number may run at once, and none is needed by the
others. It looks at sagas whose `due_at` has passed: those whose retry is due, whose deadline has passed, whose message
never left, and those that have not been heard of for a while. Of the last it first finds out whether the message is
lost or merely waits (`markers`), so that it never feeds a backlog.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.conf import settings
from kombu.exceptions import OperationalError

from orchestration import clocks, engine, markers
from orchestration.engine import Engine
from orchestration.markers import queues_of, route_of
from orchestration.models import SagaInstance
from orchestration.rounds import round_after_round
from orchestration.saga import LONGEST_WAIT
from orchestration.sagas import UnknownDefinition
from orchestration.states import DeadlinePassed, Due, Phase
from orchestration.telemetry.subject import about

logger = logging.getLogger(__name__)

BATCH = 50


class Markers(Protocol):
    """Who sends markers, and confirms what those that came back prove. The module of that name is one."""

    def send(self, route: str, queues: list[str], /, *, now: datetime) -> bool: ...

    def confirm(self) -> None: ...


@dataclass(frozen=True)
class Recovery:
    """Rounds of recovery over an engine, its store and its broker; `markers` finds out what was lost."""

    engine: Engine
    markers: Markers

    def run_once(self, *, clock: Callable[[], datetime] = clocks.now) -> int:
        """Look at every saga that is due; return how many. One saga's error does not stop the others.

        Each is sent at the time it is sent and not at the round's beginning, or a marker that overtook a long round
        would prove its last messages lost.
        """
        store, broker = self.engine.store, self.engine.broker
        self._bring_forward(clock())
        if not store.is_any_due(clock()) or not broker.broker_is_ready():
            return 0
        self._confirm_markers()
        seen = 0
        while not broker.broker_is_away() and (batch := store.claim_due(clock(), BATCH)):
            for instance in batch:
                self._look_at(instance, clock())
            seen += len(batch)
        self._send_markers(clock())
        return seen

    def _bring_forward(self, now: datetime) -> None:
        """Look at once at sagas that are due later than any saga is."""
        longest = settings.PRESUMED_LOST_AFTER + LONGEST_WAIT
        if brought := self.engine.store.bring_forward(now, now + longest):
            told = "%s sagas were due in more than %s, which a wrong clock must have written: they are due now"
            logger.warning(told, brought, longest)

    def _look_at(self, instance: SagaInstance, now: datetime) -> None:
        late = instance.phase == Phase.RUNNING and instance.deadline_at <= now
        event = DeadlinePassed() if late else Due(lost=instance.in_flight, token=instance.token)
        with about([instance.pk]):
            try:
                logger.warning("saga %s is due in phase %s: %s", instance.pk, instance.phase, event)
                self.engine.apply(instance.pk, event, now=now)
            except Exception:  # one saga's error never stops the loop; it is due again later
                logger.exception("saga %s: recovery failed, it will be tried again", instance.pk)

    def _confirm_markers(self) -> None:
        try:
            self.markers.confirm()
        except (OperationalError, OSError) as error:
            logger.warning("workers cannot be asked what markers overtook: %s", error)

    def _send_markers(self, now: datetime) -> None:
        """For sagas not heard of for a while, find out whether their messages are lost."""
        unheard = self.engine.store.unheard_of(now)
        for route, name in {(route_of(name, phase), name) for name, phase in unheard}:
            try:
                queues = queues_of(route, self.engine.definition_of(name), settings.TOPOLOGY)
                self.markers.send(route, queues, now=now)
            except (OperationalError, OSError, UnknownDefinition) as error:
                logger.warning("no marker sent on %s: %s", route, error)


_recovery = Recovery(engine.default, markers)
run_once = _recovery.run_once


def run_forever(stopped: threading.Event) -> None:
    """Run a round every `RECOVERY_PERIOD` until `stopped`; outages of database or broker are waited out."""
    round_after_round(stopped, run_once, every=settings.RECOVERY_PERIOD, of="recovery")
