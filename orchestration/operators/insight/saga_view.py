"""The view of one saga: its row, its log, its steps and the ledger rows of every service, each read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestration.engine import selectors, store
from orchestration.engine.selectors import StepProgress
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.operators.insight.lock_waits import Waiter, waiters_of
from orchestration.participant.ledger import LedgerRow
from orchestration.protocol.deadlocks import is_retried
from orchestration.sagas import UnknownDefinition, definition_of


@dataclass(frozen=True)
class SagaView:
    """One saga with everything that a page, a command or the API shows of it."""

    instance: SagaInstance
    log: list[SagaLogEntry]
    steps: list[StepProgress] | None
    """None when this code lacks the saga's definition."""
    ledgers: Mapping[str, list[LedgerRow] | None]
    """The ledger rows by service; None where the service's database does not answer."""
    holder: SagaInstance | None = None
    """The saga that holds the lock that this one waits for."""
    waiters: tuple[Waiter, ...] = ()
    """The sagas that wait for a lock of this one, at most `MOST_WAITERS`."""
    retried_by: UUID | None = None
    """The saga that does the work of this one again, because this one was given up to end a deadlock."""


def saga_view_of(saga_id: UUID) -> SagaView | None:
    """Read a saga; None if there is none. The ledger of a service whose database is down is None."""
    instance = selectors.saga(saga_id)
    return None if instance is None else saga_view_from(instance)


def saga_view_from(instance: SagaInstance) -> SagaView:
    """Read the log, the ledgers and the steps of this saga."""
    log = selectors.log_of(instance.pk)
    ledgers = selectors.ledger_rows(instance)
    holder = selectors.saga(instance.waits_for) if instance.waits_for else None
    steps, waiters = _steps(instance, log, ledgers), waiters_of(instance.pk)
    return SagaView(instance, log, steps, ledgers, holder, waiters, _retried_by(instance))


def _retried_by(instance: SagaInstance) -> UUID | None:
    if instance.ended_at is None or not is_retried(instance.failure, instance.victim_count):
        return None
    found = store.find_successors([instance.pk])
    return found[instance.pk].pk if instance.pk in found else None


def _steps(
    instance: SagaInstance, log: list[SagaLogEntry], ledgers: Mapping[str, list[LedgerRow] | None]
) -> list[StepProgress] | None:
    try:
        definition_of(instance.definition)
    except UnknownDefinition:
        return None
    return selectors.progress(instance, log, ledgers)
