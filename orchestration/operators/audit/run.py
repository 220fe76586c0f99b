"""One run of the audit: sums, what is open, what is new, and some of what is old, a portion at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from orchestration.db import clocks
from orchestration.db.connections import return_connections
from orchestration.models import ALIAS, SagaInstance
from orchestration.models.audit import AuditRun
from orchestration.operators.audit import finding_rows, portions, record, run_rows
from orchestration.operators.audit.record import Clock
from orchestration.operators.audit.targets import Named, named
from orchestration.operators.audit.values import Part, Portion, first_id_at
from orchestration.protocol.states import ENDED

OVERLAP = timedelta(hours=1)
"""Sagas younger than this at one run are new to the next one, too: most of them have ended by then."""

ROTATING_FOR = timedelta(seconds=60)
"""How long a run goes on through the old sagas, after it has looked at all that is new."""

UNFINISHED_LIMIT = 2_000
"""Sagas that one run remembers for the next; those beyond are looked at when their turn comes."""


class Stopped(Exception):
    """The process ends; the next run goes on where this one was."""


@dataclass
class Walk:
    """A run at its work; `stopped` is asked between portions."""

    run: AuditRun
    clock: Clock = clocks.now
    stopped: Callable[[], bool] = lambda: False
    _not_judged: set[UUID] = field(default_factory=set)

    def go(self) -> None:
        """Look at everything whose turn it is, and end what is not seen any more.

        :raises CannotAudit: when a database does not let itself be read.
        :raises Stopped: when it is to stop.
        :raises run_rows.Overtaken: when the run was taken for dead.
        """
        new_at = first_id_at(self.run.started_at - OVERLAP)
        unfinished, new_from, old_to, again = self._prepare(new_at)
        self._take(portions.totals(at=self.run.started_at))
        self._take(portions.again(again.wanted))
        self.run.unfinished = unfinished
        for portion in self._through(new_from, None):
            self.run.recent_to = min(portion.next_id or new_at, new_at)
            self._take(portion)
        self._rotate(old_to, new_from)
        finding_rows.close(self.run, again.findings, self._not_judged, now=self.clock())

    def _prepare(self, new_at: UUID) -> tuple[list[str], UUID, UUID | None, Named]:
        """Where to begin; written down, so that a run that dies leaves the next one what it had to do."""
        previous = run_rows.before(self.run)
        remembered = [UUID(each) for each in previous.unfinished] if previous else []
        unfinished = [str(saga_id) for saga_id in _unfinished(new_at)]
        new_from = (previous.recent_to if previous else None) or new_at
        self.run.recent_to = new_from
        self.run.rotated_to = previous.rotated_to if previous else None
        self.run.unfinished = sorted({*unfinished, *map(str, remembered)})
        return unfinished, new_from, self.run.rotated_to, named(remembered)

    def _rotate(self, old_to: UUID | None, new_from: UUID) -> None:
        until = self.clock() + ROTATING_FOR
        for portion in self._through(old_to, new_from):
            self.run.rotated_to = portion.next_id
            self._take(portion)
            if self.clock() >= until:
                return

    def _through(self, low: UUID | None, high: UUID | None) -> Iterator[Portion]:
        while True:
            portion = portions.portion(low, high)
            yield portion
            if (low := portion.next_id) is None:
                return

    def _take(self, part: Part) -> None:
        self._not_judged |= part.not_judged
        record.take(self.run, part, clock=self.clock)
        return_connections()  # others in this process wait for the pool's
        if self.stopped():
            raise Stopped(Stopped.__doc__)


def _unfinished(below: UUID) -> list[UUID]:
    going_on = SagaInstance.objects.using(ALIAS).exclude(phase__in=ENDED).filter(pk__lt=below)
    return list(going_on.values_list("pk", flat=True)[:UNFINISHED_LIMIT])
