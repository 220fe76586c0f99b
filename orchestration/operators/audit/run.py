"""One run of the audit: checks the sums, open findings, new sagas and some old sagas, in portions."""

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
from orchestration.operators.audit.targets import Targets, targets_of
from orchestration.operators.audit.values import Part, Portion, first_id_at
from orchestration.protocol.states import ENDED

OVERLAP = timedelta(hours=1)
"""Sagas younger than this are checked by the next run again, because most of them have ended by then."""

ROTATING_FOR = timedelta(seconds=60)
"""How long a run checks old sagas after it has checked all new ones."""

UNFINISHED_LIMIT = 2_000
"""Number of unfinished sagas that a run stores for the next. The others are checked with the old sagas."""


class Stopped(Exception):
    """The process ends; the next run goes on where this one was."""


@dataclass
class Walk:
    """The work of one run. `stopped` is called after each portion."""

    run: AuditRun
    clock: Clock = clocks.now
    stopped: Callable[[], bool] = lambda: False
    _not_judged: set[UUID] = field(default_factory=set)

    def go(self) -> None:
        """Check all that is due, and close findings that are not seen any more.

        :raises CannotAudit: when a database cannot be read.
        :raises Stopped: when `stopped` returns true.
        :raises run_rows.Overtaken: when another process has ended the run because its lease had expired.
        """
        new_at = first_id_at(self.run.started_at - OVERLAP)
        unfinished, new_from, old_to, targets = self._prepare(new_at)
        self._take(portions.totals(at=self.run.started_at))
        self._take(portions.recheck(targets.wanted))
        self.run.unfinished = unfinished
        for portion in self._through(new_from, None):
            self.run.recent_to = min(portion.next_id or new_at, new_at)
            self._take(portion)
        self._rotate(old_to, new_from)
        finding_rows.close(self.run, targets.findings, self._not_judged, now=self.clock())

    def _prepare(self, new_at: UUID) -> tuple[list[str], UUID, UUID | None, Targets]:
        """Return where to begin, and set it in the run's row, so that the next run can resume if this one dies."""
        previous = run_rows.before(self.run)
        remembered = [UUID(each) for each in previous.unfinished] if previous else []
        unfinished = [str(saga_id) for saga_id in _unfinished(new_at)]
        new_from = (previous.recent_to if previous else None) or new_at
        self.run.recent_to = new_from
        self.run.rotated_to = previous.rotated_to if previous else None
        self.run.unfinished = sorted({*unfinished, *map(str, remembered)})
        return unfinished, new_from, self.run.rotated_to, targets_of(remembered)

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
        return_connections()  # other threads of this process wait for a pooled connection
        if self.stopped():
            raise Stopped(Stopped.__doc__)


def _unfinished(below: UUID) -> list[UUID]:
    going_on = SagaInstance.objects.using(ALIAS).exclude(phase__in=ENDED).filter(pk__lt=below)
    return list(going_on.values_list("pk", flat=True)[:UNFINISHED_LIMIT])
