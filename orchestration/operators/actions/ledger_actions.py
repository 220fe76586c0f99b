"""The effect of resolve and settle on a service's ledger. It comes before the change of the saga."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, field_types
from orchestration.engine import selectors
from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaInstance
from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.actions import void_hold
from orchestration.operators.actions.requests import Ask, WhyNot
from orchestration.operators.actions.rules import undoes
from orchestration.participant import manual_conclusion, manual_outcome
from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger_store import Call
from orchestration.participant.manual_outcome import (
    Grounds,
    NoSuchRow,
    NotResolved,
    ReportedOutcome,
    Resolved,
    Statement,
)
from orchestration.participant.participant import Participant, participant_of
from orchestration.participant.reconciliation import external_commands
from orchestration.protocol.saga import Saga

ON_LEDGERS = frozenset({OperatorAction.RESOLVE, OperatorAction.SETTLE})


class NotConcluded(Exception):
    """The ledger row was not changed; `why` says why."""

    def __init__(self, why: WhyNot) -> None:
        super().__init__(why.sentence)
        self.why = why


@dataclass(frozen=True)
class Concluded:
    """The ledger row before and after, and the `facts` that the saga gets from it."""

    row: Resolved
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_change(self) -> bool:
        """Whether the row changes. A row that does not change takes no facts."""
        return self.row.was != self.row.status

    @property
    def sentence(self) -> str:
        if not self.is_change:
            return f"The ledger row stays {self.row.status}."
        return f"The ledger row was {self.row.was}, it is {self.row.status}."


def conclude(
    instance: SagaInstance, saga: Saga, ask: Ask, *, rehearsed: bool = False, may_be_repeated: bool = False
) -> Concluded:
    """Conclude the step's ledger row as the operator states. With `rehearsed`, only check that it is possible.

    With `may_be_repeated`, it is no error that the row was concluded with the same statement before.

    :raises NotConcluded: when the row cannot be concluded like this.
    """
    try:
        if ask.action is OperatorAction.SETTLE:
            return _settle(instance, saga, ask, rehearsed)
        return _resolve(instance, saga, ask, rehearsed=rehearsed, may_be_repeated=may_be_repeated)
    except NoSuchRow as error:
        raise NotConcluded(WhyNot(Code.NO_SUCH_ROW, str(error))) from error
    except NotResolved as error:
        raise NotConcluded(WhyNot(Code.NOT_RESOLVED, str(error))) from error


def why_not_resolved(saga: Saga, ask: Ask, saga_ids: Collection[UUID]) -> Mapping[UUID, str]:
    """Return by saga why the step cannot be resolved, as far as its ledger row shows without a lock.

    The sagas are of one definition. Sagas whose step can be resolved are missing.
    """
    if ask.outcome is None:
        return {}
    if complaint := _still_required(saga, ask.step, ask.outcome):
        return dict.fromkeys(saga_ids, complaint)
    found = manual_conclusion.why_not_open(_participant(saga, ask), saga_ids, ask.step, ask.outcome)
    return {saga_id: str(why) for saga_id, why in found.items()}


def facts_wanted(instance: SagaInstance, saga: Saga, ask: Ask) -> str:
    """Return a sentence with the facts that the step's service needs; empty if it needs none."""
    participant, step = _participant(saga, ask), saga.by_name[ask.step]
    if ask.action is OperatorAction.SETTLE:
        return manual_outcome.facts_wanted(participant, _command(instance, saga, ask))
    if ask.outcome is None or ask.outcome is ReportedOutcome.NOT_DONE:
        return ""
    command = step.compensation if ask.outcome is ReportedOutcome.UNDONE else step.action
    return manual_outcome.facts_wanted(participant, command) if command else ""


def facts_needed(participant: Participant) -> Mapping[tuple[str, str], str]:
    """Return the facts that resolving an open ledger row needs, by the row's status and step."""
    return {
        key: manual_outcome.wanted(work.facts)
        for key, (_, work) in external_commands(participant).items()
        if work.facts is not None
    }


def _resolve(instance: SagaInstance, saga: Saga, ask: Ask, **how: bool) -> Concluded:
    if ask.outcome is None:
        raise NotResolved("the outcome is missing")
    if complaint := _still_required(saga, ask.step, ask.outcome):
        raise NotResolved(complaint)
    statement = Statement(ask.outcome, _grounds(ask), ask.facts)
    made = manual_conclusion.resolve(_participant(saga, ask), _id(instance), ask.step, statement, **how)
    return Concluded(made)


def _still_required(saga: Saga, step: str, outcome: ReportedOutcome) -> str:
    if outcome is ReportedOutcome.NOT_DONE and saga.position_of(step) > saga.pivot_position:
        return f"{step} must still happen after the pivot: do it manually, then resolve it as done"
    return ""


def _settle(instance: SagaInstance, saga: Saga, ask: Ask, rehearsed: bool) -> Concluded:
    if ask.void and (complaint := void_hold.why_not(instance, saga, ask)):
        raise NotResolved(complaint)
    participant, command = _participant(saga, ask), _command(instance, saga, ask)
    needed = frozenset() if isinstance(command, Compensation) else _needed_later(saga, ask.step)
    answers = {name: fact for name, fact in ask.facts.items() if name in needed - _fact_names(participant, command)}
    reported = {name: fact for name, fact in ask.facts.items() if name not in answers}
    outcome = ReportedOutcome.UNDONE if isinstance(command, Compensation) else ReportedOutcome.DONE
    known = instance.request | instance.answers | {"saga_id": str(instance.pk)}
    made = manual_conclusion.settle(
        participant,
        Call(_id(instance), ask.step, instance.token, known),
        command,
        Statement(outcome, _grounds(ask), reported, answers, needed),
        still=_still_parked(instance, ask.step),
        rehearsed=rehearsed,
    )
    learned = made.answer or {} if isinstance(command, Action) else {}
    return Concluded(made, {name: fact for name, fact in learned.items() if name in command_provides(saga, ask.step)})


def command_provides(saga: Saga, step: str) -> frozenset[str]:
    """Return the names of the facts that the step's action answers."""
    return frozenset(saga.by_name[step].action.provides)


def _needed_later(saga: Saga, step: str) -> frozenset[str]:
    later = saga.steps[saga.position_of(step) + 1 :]
    wanted = {name for each in later for name in field_types(each.action.request)}
    return command_provides(saga, step) & wanted


def _fact_names(participant: Participant, command: Action | Compensation) -> frozenset[str]:
    work = participant.commands[command]
    if not isinstance(work, ExternalCommand) or work.facts is None:
        return frozenset()
    return frozenset(each.name for each in fields(work.facts))


def _still_parked(instance: SagaInstance, step: str) -> Callable[[], bool]:
    """Return a check that the step is still parked. A parked step is only sent after the saga has changed."""

    def still() -> bool:
        now = selectors.saga(_id(instance))
        return now is not None and step in state_of(now).parked

    return still


def _command(instance: SagaInstance, saga: Saga, ask: Ask) -> Action | Compensation:
    """Return the command of the step that is pending: before the pivot its compensation."""
    step = saga.by_name[ask.step]
    if undoes(saga, state_of(instance), ask.step) and step.compensation is not None:
        return step.compensation
    return step.action


def _participant(saga: Saga, ask: Ask) -> Participant:
    return participant_of(saga.by_name[ask.step].action.service)


def _grounds(ask: Ask) -> Grounds:
    return Grounds(by=ask.actor.name, reason=ask.reason, evidence=ask.evidence)


def _id(instance: SagaInstance) -> UUID:
    return UUID(str(instance.pk))
