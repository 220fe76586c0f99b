"""The operator actions that would change a saga in its present state."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaInstance
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.requests import Actor, Ask, WhyNot
from orchestration.operators.actions.rules import foreseen
from orchestration.operators.insight.sources import Unavailable, read
from orchestration.participant.participant import participant_of
from orchestration.participant.reconciliation import external_commands
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import State
from orchestration.sagas import UnknownDefinition, definition_of

_PREVIEWER = Actor("preview", None, Via.ADMIN)
_WITHOUT_A_STEP = (
    OperatorAction.RESUME,
    OperatorAction.RETRY,
    OperatorAction.UNPAUSE,
    OperatorAction.PAUSE,
    OperatorAction.COMPENSATE,
    OperatorAction.CANCEL,
)


@dataclass(frozen=True)
class Applicable:
    """An action, with its step if it is resolve or settle."""

    action: OperatorAction
    step: str = ""


def applicable(saga: Saga, state: State, open_steps: Iterable[str]) -> Iterator[Applicable]:
    """Yield the actions that would change something. `open_steps` have an external call without an outcome.

    This function is pure.
    """
    for action in _WITHOUT_A_STEP:
        if not isinstance(foreseen(saga, state, Ask(action, _PREVIEWER, "preview")), WhyNot):
            yield Applicable(action)
    yield from (Applicable(OperatorAction.RESOLVE, step) for step in open_steps)
    for step in sorted(state.parked):
        settle = Ask(OperatorAction.SETTLE, _PREVIEWER, "preview", step=step, evidence="preview")
        if not isinstance(foreseen(saga, state, settle), WhyNot):
            yield Applicable(OperatorAction.SETTLE, step)


def applicable_at(instances: Collection[SagaInstance]) -> Mapping[UUID, frozenset[OperatorAction]]:
    """Return by saga the actions that would change something. Resolve and settle are tried for the failing step only.

    Each service is queried once. If its database is unavailable, resolve is left out for its steps.
    """
    found: dict[UUID, frozenset[OperatorAction]] = {}
    is_open = _with_an_open_call(instances)
    for instance in instances:
        saga_id = UUID(str(instance.pk))
        try:
            saga = definition_of(instance.definition)
        except UnknownDefinition:
            found[saga_id] = frozenset()
            continue
        step = instance.failing_step
        can = applicable(saga, state_of(instance), [step] if saga_id in is_open else [])
        found[saga_id] = frozenset(each.action for each in can if each.step in ("", step))
    return found


def _with_an_open_call(instances: Iterable[SagaInstance]) -> set[UUID]:
    by_service = defaultdict[str, list[SagaInstance]](list)
    for instance in instances:
        try:
            step = definition_of(instance.definition).by_name.get(instance.failing_step)
        except UnknownDefinition:
            continue
        if step is not None:
            by_service[step.action.service].append(instance)
    return {saga_id for service, some in by_service.items() for saga_id in _open_in(service, some)}


def _open_in(service: str, instances: Collection[SagaInstance]) -> Collection[UUID]:
    participant = participant_of(service)
    calls = external_commands(participant)
    failing = {UUID(str(instance.pk)): instance.failing_step for instance in instances}
    if not calls:
        return ()
    rows = participant.ledger._default_manager.using(service).filter(saga_id__in=failing)
    found = read(f"the database of {service}", lambda: list(rows.values_list("saga_id", "status", "step")))
    if isinstance(found, Unavailable):
        return ()
    return {saga_id for saga_id, status, step in found if step == failing[saga_id] and (status, step) in calls}
