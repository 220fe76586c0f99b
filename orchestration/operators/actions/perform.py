"""The execution of an operator's action: one compare-and-set, and the log entry of it in the same transaction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from orchestration.db import clocks
from orchestration.engine import engine, selectors
from orchestration.engine.engine import ChangedMeanwhile, NoSuchSaga
from orchestration.engine.row_mapping import state_of
from orchestration.models import ALIAS, Batch, OperatorLogEntry, SagaInstance
from orchestration.models.actions import Code
from orchestration.operators.actions import ledger_actions, void_hold
from orchestration.operators.actions.ledger_actions import Concluded, NotConcluded
from orchestration.operators.actions.outcome import Observed
from orchestration.operators.actions.outcome_watcher import observe
from orchestration.operators.actions.requests import Ask, WhyNot
from orchestration.operators.actions.rules import event_of, foreseen, is_refused, why_nothing
from orchestration.participant.manual_outcome import Resolved
from orchestration.protocol.transitions import TooLate
from orchestration.sagas import UnknownDefinition, definition_of

__all__ = ("Performed", "carry_out", "observe", "perform")


@dataclass(frozen=True)
class _Result:
    """The saga before and after, a text on other effects, and why nothing was done if so."""

    before: SagaInstance
    after: SagaInstance
    detail: str = ""
    why_not: WhyNot | None = None


@dataclass(frozen=True)
class Performed:
    """The entry in the operator log, and the step's ledger row before and after if the action changed it."""

    entry: OperatorLogEntry
    row: Resolved | None = None


Alongside = Callable[[OperatorLogEntry], None]
"""A function that is called in the transaction of the action and its entry. If it raises, both are rolled back."""


def perform(saga_id: UUID, ask: Ask, *, expected_version: int | None) -> OperatorLogEntry:
    """Carry out the action and record the operator, the reason and the result; `code` says whether anything changed.

    With `expected_version` (from a preview), the action is only taken if the saga still has that version: of two
    operators who saw the same version, one is too late. A ledger row that was resolved or settled stays so even if the
    process dies before the saga is changed; a resume does the rest.

    :raises NoSuchSaga: when there is no such saga.
    """
    return carry_out(saga_id, ask, expected_version=expected_version).entry


def carry_out(
    saga_id: UUID,
    ask: Ask,
    *,
    expected_version: int | None = None,
    batch: Batch | None = None,
    alongside: Alongside | None = None,
) -> Performed:
    """Carry out the action as `perform` does, as part of the batch if there is one. Return the ledger row, too."""
    instance, concluded = _found(saga_id), None
    refused: WhyNot | None = None
    try:
        concluded = _prepare(instance, ask, expected_version, may_be_repeated=batch is not None)
    except NotConcluded as error:
        refused = error.why
    with transaction.atomic(using=ALIAS):
        taken = (
            _Result(instance, instance, why_not=refused)
            if refused
            else _apply(saga_id, ask, concluded, expected_version)
        )
        if ask.void and taken.why_not is None:
            taken = replace(taken, detail=f"{taken.detail} {void_hold.start(taken.after, ask.step)}")
        entry = OperatorLogEntry.objects.using(ALIAS).create(batch=batch, **_columns_of(ask, taken))
        if alongside is not None:
            alongside(entry)
    return Performed(entry, concluded.row if concluded else None)


def _prepare(
    instance: SagaInstance, ask: Ask, expected_version: int | None, *, may_be_repeated: bool
) -> Concluded | None:
    """Change the ledger row, if the action changes one; return None if it is on the saga only.

    `may_be_repeated` is for members of a batch: after the death of its worker, a member is done again with the same
    statement.

    :raises NotConcluded: when the action is refused in the present state of the saga.
    """
    if expected_version not in (None, instance.version):
        raise NotConcluded(WhyNot(Code.CHANGED_MEANWHILE, ChangedMeanwhile.__doc__ or ""))
    try:
        saga = definition_of(instance.definition)
    except UnknownDefinition as error:
        raise NotConcluded(WhyNot(Code.UNKNOWN_DEFINITION, str(error))) from error
    judged = foreseen(saga, state_of(instance), ask)
    if is_refused(judged, ask):
        raise NotConcluded(judged)
    return (
        ledger_actions.conclude(instance, saga, ask, may_be_repeated=may_be_repeated)
        if ask.action in ledger_actions.ON_LEDGERS
        else None
    )


def _apply(saga_id: UUID, ask: Ask, concluded: Concluded | None, expected_version: int | None) -> _Result:
    """Apply the action's event to the saga.

    A change by others in between is an error only with `expected_version` and an unchanged ledger; else it is retried.
    """
    detail, facts = (concluded.sentence, concluded.facts) if concluded else ("", {})
    while True:
        before = _found(saga_id)
        version = before.version if concluded or expected_version is None else expected_version
        try:
            after = engine.apply(saga_id, event_of(ask), now=clocks.now(), known=facts, version=version)
        except ChangedMeanwhile as error:
            if concluded or expected_version is None:
                continue
            return _Result(before, before, why_not=WhyNot(Code.CHANGED_MEANWHILE, str(error)))
        except TooLate as error:
            return _Result(before, before, detail, WhyNot(Code.TOO_LATE, str(error)))
        if after.version == before.version and concluded is None:
            return _Result(before, before, why_not=why_nothing(state_of(before), ask))
        return _Result(before, after, detail)


def _columns_of(ask: Ask, taken: _Result) -> dict[str, Any]:
    code = Code.TAKEN if taken.why_not is None else taken.why_not.code
    sentences = [taken.detail, taken.why_not.sentence if taken.why_not else ""]
    return {
        "saga_id": taken.before.pk,
        "action": ask.action.value,
        "by": ask.actor.name,
        "user_id": ask.actor.user_id,
        "via": ask.actor.via.value,
        "step": ask.step,
        "statement": ask.statement,
        "reason": ask.reason,
        "evidence": ask.evidence,
        "code": code.value,
        "detail": " ".join(filter(None, sentences)),
        "before": _as_logged(taken.before),
        "after": _as_logged(taken.after),
        **_observed_at_once(taken, code),
    }


def _observed_at_once(taken: _Result, code: Code) -> dict[str, Any]:
    """Return the outcome of an action that changed nothing; empty if the outcome is still to be observed."""
    if code is Code.TAKEN:
        return {}
    sentence = taken.why_not.sentence if taken.why_not else ""
    return {"observed": Observed.NOTHING_CHANGED.value, "observed_detail": sentence, "observed_at": clocks.now()}


def _as_logged(instance: SagaInstance) -> dict[str, Any]:
    """Return the saga's state as the log records it, without its facts."""
    return {
        "phase": instance.phase,
        "version": instance.version,
        "token": instance.token,
        "in_flight": instance.in_flight,
        "parked": instance.progress.get("parked", []),
        "paused": instance.paused,
        "done": instance.progress.get("done", []),
        "undone": instance.progress.get("undone", []),
        "failure": (instance.failure or {}).get("code", ""),
        "due_at": instance.due_at and instance.due_at.isoformat(),
        "log_length": instance.log_length,
    }


def _found(saga_id: UUID) -> SagaInstance:
    instance = selectors.saga(saga_id)
    if instance is None:
        raise NoSuchSaga(f"there is no saga {saga_id}")
    return instance
