"""Ends deadlocks among sagas: finds cycles of waits in the saga rows, and gives up one saga of each."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestration.engine import engine
from orchestration.engine.engine import ChangedMeanwhile, Engine
from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaInstance
from orchestration.protocol.deadlocks import Member, Victim, choose_victim, cycles, external_steps
from orchestration.protocol.events import DeadlockFound
from orchestration.protocol.transitions import TooLate
from orchestration.sagas import UnknownDefinition

logger = logging.getLogger(__name__)

MOST_WAITS = 1000
"""The most waits that one search reads. The cycles of those left out are found in a later round."""


@dataclass(frozen=True)
class DeadlockSearch:
    """Searches for deadlocks in the sagas of an engine's store. Any number of searches may run at once.

    Each chooses the same victim, and the compare-and-set of the victim's row lets one of them end the deadlock.
    """

    engine: Engine

    def end_deadlocks(self, saga_ids: Collection[UUID] | None = None, *, now: datetime) -> int:
        """End the deadlocks that these sagas are in, or any with None. Return how many were ended."""
        waiting = {saga.pk: saga for saga in self.engine.store.waits_around(saga_ids, limit=MOST_WAITS)}
        edges = {saga_id: saga.waits_for for saga_id, saga in waiting.items() if saga.waits_for}
        return sum(self._end([waiting[saga_id] for saga_id in cycle], now) for cycle in cycles(edges))

    def search(self, saga_ids: Collection[UUID] | None = None, *, now: datetime) -> None:
        """End deadlocks as `end_deadlocks` does, but only log an error: each round of recovery searches again."""
        try:
            self.end_deadlocks(saga_ids, now=now)
        except Exception:  # the caller has other work to do, or has done it already
            logger.exception("the search for deadlocks failed; the next round searches again")

    def _end(self, cycle: Sequence[SagaInstance], now: datetime) -> bool:
        """Give up the victim, unless it has changed since: then the deadlock may have ended."""
        victim = self._victim_of(cycle)
        if victim is None:
            return False
        event = DeadlockFound(
            cycle=tuple(saga.pk for saga in cycle),
            resources=tuple(saga.waits_on for saga in cycle),
            definitions=tuple(saga.definition for saga in cycle),
            reason=victim.reason,
        )
        version = next(saga.version for saga in cycle if saga.pk == victim.saga_id)
        try:
            self.engine.apply(victim.saga_id, event, now=now, version=version)
        except (ChangedMeanwhile, TooLate) as error:
            logger.info("saga %s is not given up for a deadlock: %s", victim.saga_id, error)
            return False
        logger.warning("saga %s is given up for a deadlock: %s", victim.saga_id, event, extra={"saga": victim.saga_id})
        return True

    def _victim_of(self, cycle: Sequence[SagaInstance]) -> Victim | None:
        """Return the saga to give up. None when all are paused, or when this code lacks a definition.

        A paused saga is sent nothing, so giving it up would free no lock.
        """
        try:
            members = [self._member(saga) for saga in cycle if not saga.paused]
        except UnknownDefinition as error:
            logger.info("another process must end the deadlock of %s: %s", [str(saga.pk) for saga in cycle], error)
            return None
        return choose_victim(members) if members else None

    def _member(self, saga: SagaInstance) -> Member:
        done = state_of(saga).done
        external = done & external_steps(self.engine.definition_of(saga.definition))
        return Member(saga.pk, len(done), len(external), saga.victim_count)


default = DeadlockSearch(engine.default)
end_deadlocks = default.end_deadlocks
search = default.search
