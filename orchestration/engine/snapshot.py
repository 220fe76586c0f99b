"""A saga row as the pure state that decisions are made from, with what goes wrong beside it, and back."""

from dataclasses import replace
from typing import Any

from orchestration.models import SagaInstance
from orchestration.protocol.failure_summary import Trouble
from orchestration.protocol.states import Phase, State

_SETS = {"done": "done", "undone": "undone", "held": "backing_off", "parked": "parked", "settled": "settled"}
"""The keys of `progress` that hold sets of steps, each with its field of the state. Stored keys keep their names."""


def state_of(instance: SagaInstance) -> State:
    """The state in the row."""
    progress = instance.progress
    return State(
        phase=Phase(instance.phase),
        token=instance.token,
        in_flight=instance.in_flight,
        done=frozenset(progress.get("done", ())),
        undone=frozenset(progress.get("undone", ())),
        backing_off=frozenset(progress.get("held", ())),
        parked=frozenset(progress.get("parked", ())),
        settled=frozenset(progress.get("settled", ())),
        paused=instance.paused,
        failures=progress.get("failures", {}),
        failure=instance.failure,
    )


def trouble_of(instance: SagaInstance) -> Trouble:
    """What goes wrong with it, as the row says."""
    progress = instance.progress
    return Trouble(progress.get("errors", {}), frozenset(progress.get("waiting", ())), instance.last_error)


def columns_of(state: State, trouble: Trouble) -> dict[str, Any]:
    """The row's columns that hold both."""
    sets = {key: sorted(getattr(state, field)) for key, field in _SETS.items()}
    progress = {name: steps for name, steps in sets.items() if steps}
    if state.failures:
        progress["failures"] = dict(state.failures)  # type: ignore[assignment]
    return {
        "phase": state.phase.value,
        "token": state.token,
        "in_flight": state.in_flight,
        "progress": progress | trouble.progress(),
        "parked": bool(state.parked),
        "paused": state.paused,
        "failure": state.failure,
    } | trouble.columns(state)


def undelivered(instance: SagaInstance) -> dict[str, Any]:
    """The row's columns when what it was to be sent did not reach the broker."""
    return columns_of(replace(state_of(instance), in_flight=False), trouble_of(instance).without_broker())
