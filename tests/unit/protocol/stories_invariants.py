"""What must hold of every decision, whatever happened before it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum, auto

from orchestration.protocol.saga import Saga
from orchestration.protocol.states import ENDED, Bar, Command, Decision, Entry, Forward, Kind, Phase, State, Undo

NEXT_PHASES: Mapping[Phase, frozenset[Phase]] = {
    Phase.RUNNING: frozenset(Phase),
    Phase.BARRING: frozenset(Phase) - {Phase.RUNNING},
    Phase.COMPENSATING: frozenset({Phase.COMPENSATING, Phase.COMPENSATED}),
    Phase.FINISHING: frozenset({Phase.FINISHING, Phase.COMPLETED}),
    Phase.COMPLETED: frozenset(),
    Phase.COMPENSATED: frozenset(),
}
SAID_ONCE = (Kind.DONE, Kind.UNDONE, Kind.GAVE_UP, Kind.PIVOT_BARRED, Kind.PIVOT_DONE, Kind.REFUSED)


class Ledger(StrEnum):
    """What a participant remembers of one step."""

    NONE = auto()
    WAITING = auto()
    DONE = auto()
    REFUSED = auto()
    BARRED = auto()
    UNDONE = auto()


NOTHING_STANDS = frozenset({Ledger.UNDONE, Ledger.REFUSED, Ledger.BARRED})


def check(saga: Saga, ledgers: Mapping[str, Ledger], log: Sequence[Entry], old: State, decision: Decision) -> None:
    """See that the decision may follow the old state, with the participants' ledgers and the log as they are."""
    _check_progress(old, decision)
    _check_wait(decision.state)
    settled = frozenset(entry.step for entry in (*log, *decision.entries) if entry.kind is Kind.SETTLED)
    _check_knowledge(ledgers, decision.state, settled)
    _check_outcome(saga, ledgers, decision.state, settled)
    _check_log([*log, *decision.entries], decision.state.phase)
    if decision.command:
        _check_command(saga, ledgers, decision.state.phase, decision.command)


def _check_progress(old: State, decision: Decision) -> None:
    new, sends = decision.state, decision.command is not None
    assert new.phase in NEXT_PHASES[old.phase], f"{old.phase} became {new.phase}"
    assert new.token == old.token + sends, "a token for each dispatch, and it only grows"
    assert new.in_flight or not sends, "in flight is what has just been sent"
    assert sends or new.in_flight <= old.in_flight, "what was not sent is not in flight"
    assert old.done <= new.done, "what is done stays known"
    assert old.undone <= new.undone, "what is undone stays known"
    assert old.skipped == new.skipped, "what is skipped is decided at the start"
    waits_for_a_person = new.parked or new.paused
    assert sends or decision.due is not None or waits_for_a_person or new.phase in ENDED, "nobody would look again"
    assert not (new.paused and (sends or decision.due is not None)), "a paused saga is sent nothing"
    assert not (new.paused and new.phase in ENDED), "an end ends the pause"


def _check_wait(state: State) -> None:
    if state.wait is not None:
        assert state.phase is Phase.RUNNING, "a saga waits only before its pivot"
        assert state.wait.step not in state.done, "what is done waits no more"
        assert state.wait.step not in state.failures, "what waits has not failed"


def _check_knowledge(ledgers: Mapping[str, Ledger], state: State, settled: frozenset[str]) -> None:
    done = state.done - settled
    assert all(ledgers[step] is Ledger.NONE for step in state.skipped), "what is skipped is never sent"
    assert all(ledgers[step] in (Ledger.DONE, Ledger.UNDONE) for step in done), "done is what was done"
    assert all(ledgers[step] in NOTHING_STANDS for step in state.undone), "undone is what no longer stands"
    assert not state.parked & state.undone, "what is undone needs nobody"
    assert not (state.parked and state.phase in ENDED), "a parked saga is not ended"


def _check_outcome(saga: Saga, ledgers: Mapping[str, Ledger], state: State, settled: frozenset[str]) -> None:
    if state.phase in (Phase.FINISHING, Phase.COMPLETED):
        assert ledgers[saga.pivot.name] is Ledger.DONE, "the pivot is done"
    if state.phase is Phase.COMPLETED:
        left_out = settled | state.skipped
        holes = [step for step, ledger in ledgers.items() if ledger is not Ledger.DONE and step not in left_out]
        assert not holes, f"completed, and {holes} are not done"
    if state.phase is Phase.COMPENSATED:
        needed = [step.name for step in saga.compensable if step.name not in state.skipped]
        standing = [step for step in needed if ledgers[step] not in NOTHING_STANDS]
        assert not standing, f"compensated, and {standing} still stands"


def _check_command(saga: Saga, ledgers: Mapping[str, Ledger], phase: Phase, command: Command) -> None:
    match command:
        case Forward():
            assert phase in (Phase.RUNNING, Phase.FINISHING)
        case Bar():
            assert phase is Phase.BARRING
        case Undo(steps):
            positions = [saga.position_of(step) for step in steps]
            assert phase is Phase.COMPENSATING
            assert positions, "there is something to undo"
            assert positions == sorted(positions, reverse=True), "compensations go backwards"
            assert ledgers[saga.pivot.name] is not Ledger.DONE, "no compensation once the pivot is done"


def _check_log(log: Sequence[Entry], phase: Phase) -> None:
    said = [(entry.kind, entry.step) for entry in log if entry.kind in SAID_ONCE]
    assert len(said) == len(set(said)), "the log repeats itself"
    _check_waits(log)
    ends = [entry for entry in log if entry.kind in (Kind.COMPLETED, Kind.COMPENSATED)]
    assert ends == (list(log[-1:]) if phase in ENDED else []), "one end, and nothing after it"


def _check_waits(log: Sequence[Entry]) -> None:
    """See that no wait is told twice, unless another failure of the step came between."""
    told: dict[str, object] = {}
    for entry in log:
        if entry.kind is Kind.QUEUED:
            assert told.get(entry.step) != entry.detail["holder"], "a wait is told again with the same holder"
            told[entry.step] = entry.detail["holder"]
        elif entry.kind in (Kind.FAILED, Kind.WAITING):
            told.pop(entry.step, None)
