"""One saga whole: its row, its log, its steps and what every service remembers of it, each read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestration.engine import selectors
from orchestration.engine.selectors import StepProgress
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.participant.ledger import LedgerRow
from orchestration.sagas import UnknownDefinition, definition_of


@dataclass(frozen=True)
class Case:
    instance: SagaInstance
    log: list[SagaLogEntry]
    steps: list[StepProgress] | None
    """None when this code lacks the saga's definition."""
    ledgers: Mapping[str, list[LedgerRow] | None]
    """By service; None where the database does not answer."""


def case_of(saga_id: UUID) -> Case | None:
    """Everything known of a saga, if there is one. A service's database that is down hides that service only."""
    instance = selectors.saga(saga_id)
    return None if instance is None else case_about(instance)


def case_about(instance: SagaInstance) -> Case:
    """Everything known of this saga."""
    log = selectors.log_of(instance.pk)
    ledgers = selectors.ledger_rows(instance)
    return Case(instance, log, _steps(instance, log, ledgers), ledgers)


def _steps(
    instance: SagaInstance, log: list[SagaLogEntry], ledgers: Mapping[str, list[LedgerRow] | None]
) -> list[StepProgress] | None:
    try:
        definition_of(instance.definition)
    except UnknownDefinition:
        return None
    return selectors.progress(instance, log, ledgers)
