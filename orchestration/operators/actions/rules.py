"""The rules for actions on a saga: what an action would lead to, or why it changes nothing. Pure."""

from typing import TypeGuard

from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.actions.requests import Ask, WhyNot
from orchestration.protocol.events import (
    CancelRequested,
    CompensationRequested,
    Intervention,
    Paused,
    Resumed,
    Retried,
    StepSettled,
    Unpaused,
)
from orchestration.protocol.interventions import TooLate
from orchestration.protocol.next_command import pending_compensations
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import ENDED, Decision, Phase, State
from orchestration.protocol.transitions import decide

MIDDLE = 0.5
"""The jitter of a decision that is only previewed."""


def event_of(ask: Ask) -> Intervention:
    """Return the saga event that the action stands for."""
    by, reason = ask.actor.name, ask.reason
    match ask.action:
        case OperatorAction.RESUME:
            return Resumed(by, reason)
        case OperatorAction.RETRY:
            return Retried(by, reason)
        case OperatorAction.CANCEL:
            return CancelRequested(by, reason)
        case OperatorAction.COMPENSATE:
            return CompensationRequested(by, reason)
        case OperatorAction.PAUSE:
            return Paused(by, reason)
        case OperatorAction.UNPAUSE:
            return Unpaused(by, reason)
        case OperatorAction.RESOLVE:
            return Resumed(by, f"{ask.step} resolved as {ask.outcome}: {reason}; evidence: {ask.evidence}")
        case OperatorAction.SETTLE:
            return StepSettled(ask.step, by, reason, ask.evidence)


def foreseen(saga: Saga, state: State, ask: Ask) -> Decision | WhyNot:
    """Return the decision that the action would lead to in this state, or why it changes nothing."""
    if (why_not := _why_never(saga, state, ask)) is not None:
        return why_not
    try:
        decision = decide(saga, state, event_of(ask), jitter=MIDDLE)
    except TooLate as error:
        return WhyNot(Code.TOO_LATE, str(error))
    return why_nothing(state, ask) if decision is None else decision


def is_refused(judged: Decision | WhyNot, ask: Ask) -> TypeGuard[WhyNot]:
    """Return whether the action would change nothing.

    Resolve is possible in any state of the saga, if the saga has the step: it changes the ledger row.
    """
    return isinstance(judged, WhyNot) and (ask.action is not OperatorAction.RESOLVE or judged.code is Code.NO_SUCH_STEP)


def why_nothing(state: State, ask: Ask) -> WhyNot:
    """Explain why an action on a saga in this state changes nothing."""
    if state.phase in ENDED:
        return WhyNot(Code.ENDED, f"The saga has already ended: it is {state.phase}.")
    if ask.action is OperatorAction.PAUSE:
        return WhyNot(Code.PAUSED, "The saga is already paused.")
    if ask.action is OperatorAction.UNPAUSE:
        return WhyNot(Code.NOT_PAUSED, "The saga is not paused.")
    if ask.action is OperatorAction.CANCEL:
        return WhyNot(Code.GIVING_UP, f"The saga is already being given up: it is {state.phase}.")
    if ask.action is OperatorAction.SETTLE:
        return WhyNot(Code.NOT_PARKED, f"{ask.step} no longer needs to be settled.")
    if state.paused:
        return WhyNot(Code.PAUSED, "The saga is paused: nothing is sent until it is unpaused.")
    return WhyNot(Code.PARKED, f"{_listed(state.parked)} is parked, and retry skips that: resume the saga instead.")


def _why_never(saga: Saga, state: State, ask: Ask) -> WhyNot | None:
    """Check what `decide` does not: that the saga has the step, and that only a parked step is settled."""
    if ask.step and ask.step not in saga.by_name:
        return WhyNot(Code.NO_SUCH_STEP, f"{saga.name} has no step {ask.step}.")
    if ask.action is not OperatorAction.SETTLE or state.phase in ENDED:
        return None
    if ask.step not in state.parked:
        return WhyNot(Code.NOT_PARKED, f"{ask.step} is not parked: the saga still retries it automatically.")
    if state.phase is Phase.FINISHING and saga.position_of(ask.step) <= saga.pivot_position:
        return WhyNot(Code.NOT_RESOLVED, f"{ask.step} is done and only its answer is missing: resume the saga instead.")
    return None


def undoes(saga: Saga, state: State, step: str) -> bool:
    """Return whether the step's compensation is pending."""
    return state.phase is Phase.COMPENSATING and step in pending_compensations(saga, state)


def _listed(steps: frozenset[str]) -> str:
    return ", ".join(sorted(steps)) or "The pending step"
