"""The graph of sagas that wait for each other's locks, and the deadlocks in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from orchestration.engine import store
from orchestration.models import ALIAS, Deadlock, SagaInstance
from orchestration.operators.insight.status import status_of, step_of
from orchestration.protocol.deadlocks import DEADLOCK, cycles
from orchestration.protocol.states import ENDED

MOST_SAGAS = 40
"""The most waiting sagas that are drawn, those that began to wait first."""
MOST_DEADLOCKS = 100
"""The most deadlocks that are listed, the newest first."""
SHOWN_FOR = timedelta(days=1)
"""How long ended deadlocks are listed."""


@dataclass(frozen=True)
class GraphSaga:
    """A saga of the graph. `waits_for` is the holder of the lock on `resource`; None if it waits for none.

    `is_in_cycle`: it is in a deadlock. `is_victim`: it is given up to end one, and still has its locks.
    """

    saga_id: UUID
    definition: str
    status: str
    step: str
    since: datetime | None
    waits_for: UUID | None = None
    resource: str = ""
    is_in_cycle: bool = False
    is_victim: bool = False


@dataclass(frozen=True)
class WaitGraph:
    """Sagas that wait, and the sagas that they wait for. `left_out` waiting sagas are not in it."""

    sagas: tuple[GraphSaga, ...]
    left_out: int = 0

    @property
    def cycles(self) -> list[tuple[UUID, ...]]:
        """The deadlocks in it."""
        return cycles({saga.saga_id: saga.waits_for for saga in self.sagas if saga.waits_for})


def wait_graph() -> WaitGraph:
    """Read the sagas that wait for locks now, and the holders. Sagas in a deadlock are read first."""
    waiting = SagaInstance.objects.using(ALIAS).filter(waits_for__isnull=False)
    may_be_deadlocked = store.waits_around(None, limit=MOST_SAGAS)
    others = waiting.exclude(pk__in=[saga.pk for saga in may_be_deadlocked]).order_by("waits_since", "pk")
    drawn = [*may_be_deadlocked, *others[: MOST_SAGAS - len(may_be_deadlocked)]]
    holders = store.find({saga.waits_for for saga in drawn if saga.waits_for} - {saga.pk for saga in drawn})
    return graph_of([*drawn, *holders.values()], left_out=max(0, waiting.count() - len(drawn)))


def graph_of(sagas: Sequence[SagaInstance], *, left_out: int = 0) -> WaitGraph:
    """Return the graph of these sagas. Pure."""
    edges = {saga.pk: saga.waits_for for saga in sagas if saga.waits_for}
    in_cycles = frozenset(saga_id for cycle in cycles(edges) for saga_id in cycle)
    return WaitGraph(tuple(_node(saga, saga.pk in in_cycles) for saga in sagas), left_out)


def ended_deadlocks(*, since: datetime) -> list[Deadlock]:
    """Return the deadlocks that were ended since then, the newest first, and no more than `MOST_DEADLOCKS`."""
    found = Deadlock.objects.using(ALIAS).filter(found_at__gte=since).order_by("-found_at")
    return list(found[:MOST_DEADLOCKS])


def _node(saga: SagaInstance, is_in_cycle: bool) -> GraphSaga:
    return GraphSaga(
        saga_id=saga.pk,
        definition=saga.definition,
        status=status_of(saga).value,
        step=step_of(saga),
        since=saga.waits_since,
        waits_for=saga.waits_for,
        resource=saga.waits_on,
        is_in_cycle=is_in_cycle,
        is_victim=saga.phase not in ENDED and (saga.failure or {}).get("code") == DEADLOCK,
    )
