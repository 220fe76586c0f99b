"""A saga row as the pure state that decisions are made from, and back."""

from typing import Any

from orchestration.models import SagaInstance
from orchestration.states import Phase, State

_SETS = ("done", "undone", "held", "parked", "settled")


def state_of(instance: SagaInstance) -> State:
    """The state in the row."""
    progress = instance.progress
    return State(
        phase=Phase(instance.phase),
        token=instance.token,
        in_flight=instance.in_flight,
        done=frozenset(progress.get("done", ())),
        undone=frozenset(progress.get("undone", ())),
        held=frozenset(progress.get("held", ())),
        parked=frozenset(progress.get("parked", ())),
        settled=frozenset(progress.get("settled", ())),
        paused=instance.paused,
        failures=progress.get("failures", {}),
        failure=instance.failure,
    )


def columns_of(state: State) -> dict[str, Any]:
    """The row's columns that hold the state."""
    sets = {name: sorted(getattr(state, name)) for name in _SETS}
    progress = {name: steps for name, steps in sets.items() if steps}
    if state.failures:
        progress["failures"] = dict(state.failures)  # type: ignore[assignment]
    return {
        "phase": state.phase.value,
        "token": state.token,
        "in_flight": state.in_flight,
        "progress": progress,
        "parked": bool(state.parked),
        "paused": state.paused,
        "failure": state.failure,
    }
