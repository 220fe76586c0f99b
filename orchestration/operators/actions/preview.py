"""The preview of an operator's action: what it would do to a saga. Nothing is changed."""

from collections.abc import Iterator
from uuid import UUID

from orchestration.engine import selectors
from orchestration.engine.engine import NoSuchSaga
from orchestration.engine.row_mapping import state_of
from orchestration.messaging import routing
from orchestration.models import SagaInstance
from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.actions import ledger_actions, preview_text
from orchestration.operators.actions.ledger_actions import Concluded, NotConcluded
from orchestration.operators.actions.preview_money import MoneyAtStake, effects, not_given_back, stays
from orchestration.operators.actions.requests import Ask, Preview, WhyNot
from orchestration.operators.actions.rules import foreseen, is_refused, undoes
from orchestration.participant.participant import participant_of
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Decision
from orchestration.sagas import UnknownDefinition, definition_of


def preview(saga_id: UUID, ask: Ask) -> Preview:
    """Preview the action on the saga as it is now.

    :raises NoSuchSaga: when there is no such saga.
    :raises django.db.Error: when the database of a service that is needed does not answer.
    """
    instance = selectors.saga(saga_id)
    if instance is None:
        raise NoSuchSaga(f"there is no saga {saga_id}")
    try:
        saga = definition_of(instance.definition)
    except UnknownDefinition as error:
        return _impossible(instance, WhyNot(Code.UNKNOWN_DEFINITION, str(error)))
    return _of(instance, saga, ask)


def _of(instance: SagaInstance, saga: Saga, ask: Ask) -> Preview:
    judged = foreseen(saga, state_of(instance), ask)
    if is_refused(judged, ask):
        return _impossible(instance, judged)
    wanted = ledger_actions.facts_wanted(instance, saga, ask) if ask.action in ledger_actions.ON_LEDGERS else ""
    try:
        concluded = _rehearsed(instance, saga, ask)
    except NotConcluded as error:
        return _impossible(instance, error.why, wanted)
    decision = None if isinstance(judged, WhyNot) else judged
    return Preview(
        saga_id=instance.pk,
        possible=True,
        code=Code.TAKEN,
        why_not="",
        will=tuple(_will(instance, saga, ask, decision, concluded)),
        skipped=tuple(preview_text.skipped(saga, state_of(instance), decision)) if decision else (),
        money=tuple(_money(instance, saga, ask, decision)),
        version=instance.version,
        facts_wanted=wanted if concluded and concluded.is_change else "",
    )


def _rehearsed(instance: SagaInstance, saga: Saga, ask: Ask) -> Concluded | None:
    if ask.action not in ledger_actions.ON_LEDGERS:
        return None
    return ledger_actions.conclude(instance, saga, ask, rehearsed=True)


def _will(
    instance: SagaInstance, saga: Saga, ask: Ask, decision: Decision | None, concluded: Concluded | None
) -> Iterator[str]:
    if concluded is not None:
        becomes = f"becomes {concluded.row.status}" if concluded.is_change else "stays so"
        yield f"{ask.step} is {concluded.row.was} in its service's ledger, and {becomes}."
    if ask.action is OperatorAction.SETTLE:
        yield f"{ask.step} is recorded as settled: it is not called or compensated any more."
    if decision is not None:
        yield from preview_text.will(saga, state_of(instance), decision, routing.queue_of)


def _money(instance: SagaInstance, saga: Saga, ask: Ask, decision: Decision | None) -> Iterator[str]:
    for service in dict.fromkeys(step.action.service for step in saga.steps):
        reader = participant_of(service).money
        if reader is None:
            continue
        money = reader.of_sagas([instance.pk]).get(instance.pk)
        purse = MoneyAtStake(reader, money, instance.request | instance.answers)
        if ask.action is OperatorAction.SETTLE and saga.by_name[ask.step].action.service == service:
            is_undone = undoes(saga, state_of(instance), ask.step)
            has_facts = bool(ask.facts)
            if ask.step == reader.gives_back.step:
                yield not_given_back(purse, has_facts=has_facts)
            else:
                yield stays(purse, is_undone=is_undone, has_facts=has_facts, is_voided=ask.void)
        if decision is not None:
            state = state_of(instance)
            yield from effects(saga, state, preview_text.command_to_come(saga, state, decision), purse)


def _impossible(instance: SagaInstance, why: WhyNot, wanted: str = "") -> Preview:
    return Preview(
        saga_id=instance.pk,
        possible=False,
        code=why.code,
        why_not=why.sentence,
        version=instance.version,
        facts_wanted=wanted,
    )
