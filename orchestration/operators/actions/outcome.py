"""The outcome of an operator's action, as the saga's row and log show it at present. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestration.models.actions import OperatorAction
from orchestration.protocol.states import ENDED, Kind, Phase
from orchestration.text import formatting


class Observed(StrEnum):
    """The outcome of an action."""

    COMPLETED = "completed"
    COMPENSATED = "compensated"
    WENT_ON = "went_on"
    """The message that was sent was done; the saga has not ended."""
    PAUSED = "paused"
    SETTLED = "settled"
    WAITS = "waits"
    """Nothing was tried: a breaker is open, or another saga holds a lock."""
    FAILED_AGAIN = "failed_again"
    PARKED_AGAIN = "parked_again"
    STILL_WAITING = "still_waiting"
    """No outcome was seen for so long that the action is no longer watched."""
    TOO_LATE = "too_late"
    """The order was placed before the pivot could be barred."""
    OVERTAKEN = "overtaken"
    """Another action changed the saga before the outcome of this one was seen."""
    GONE = "gone"
    """The saga has been purged."""
    NOTHING_CHANGED = "nothing_changed"


FAILURES = frozenset(
    {Observed.FAILED_AGAIN, Observed.PARKED_AGAIN, Observed.STILL_WAITING, Observed.TOO_LATE, Observed.WAITS}
)
"""The outcomes that a batch counts as failed."""

_OPERATORS_EVENTS = frozenset({Kind.RESUMED, Kind.RETRIED, Kind.PAUSED, Kind.UNPAUSED, Kind.SETTLED})
_TAKES_BACK = frozenset({OperatorAction.CANCEL, OperatorAction.COMPENSATE})


@dataclass(frozen=True)
class Observation:
    """The outcome that was seen, and a sentence that describes it."""

    observed: Observed
    sentence: str


@dataclass(frozen=True)
class LogLine:
    """One line of the saga's log."""

    kind: Kind
    step: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Now:
    """The present state of a saga, and its log entries `since` the action."""

    phase: Phase
    in_flight: bool
    paused: bool
    parked: Sequence[str]
    is_due: bool
    since: Sequence[LogLine]


def outcome_of(action: OperatorAction, now: Now) -> Observation | None:
    """Return the outcome of the action; None while it is open."""
    if now.phase in ENDED:
        return Observation(Observed(now.phase.value), _done(now.since, f"The saga is {now.phase}."))
    if action in _TAKES_BACK and now.phase is Phase.FINISHING:
        return Observation(Observed.TOO_LATE, "The order was already placed. There is no way back: the saga continues.")
    return _overtaken(now.since) or _failed(now.since) or _at_rest(action, now)


def _overtaken(since: Iterable[LogLine]) -> Observation | None:
    for line in since:
        if line.kind in _OPERATORS_EVENTS or (line.kind is Kind.GAVE_UP and "by" in line.detail):
            who = line.detail.get("by") or "another operator"
            return Observation(
                Observed.OVERTAKEN,
                f"{who} acted on the saga before this had an effect: {line.kind.value.replace('_', ' ')}.",
            )
    return None


def _failed(since: Sequence[LogLine]) -> Observation | None:
    """Return the newest failure, unless a step succeeded after it."""
    for line in reversed(since):
        match line.kind:
            case Kind.PARKED:
                return Observation(Observed.PARKED_AGAIN, f"{line.step} is parked: {_error(line)}")
            case Kind.FAILED:
                return Observation(Observed.FAILED_AGAIN, f"{line.step} failed again: {_error(line)}")
            case Kind.WAITING:
                return Observation(Observed.WAITS, f"{line.step} was not tried: {_error(line)}")
            case Kind.QUEUED:
                return Observation(Observed.WAITS, f"{line.step} waits for a lock.")
            case Kind.DONE | Kind.UNDONE | Kind.REFUSED:
                return None
    return None


def _error(line: LogLine) -> str:
    """Return the error, with one full stop."""
    return formatting.error(line.detail).removesuffix(".") + "."


def _at_rest(action: OperatorAction, now: Now) -> Observation | None:
    """Return the outcome of a saga that is paused or has no message in flight; None if it is still open."""
    if now.paused:
        under_way = "a message sent before may still report" if now.in_flight else "nothing is in flight"
        return Observation(Observed.PAUSED, _done(now.since, f"The saga is paused; {under_way}."))
    if now.in_flight:
        return None
    if any(line.kind in (Kind.DONE, Kind.UNDONE) for line in now.since):
        return Observation(Observed.WENT_ON, _done(now.since, f"The saga is {now.phase} and continues."))
    if now.is_due:
        return None
    parked = f"{', '.join(now.parked)} is still parked."
    return Observation(Observed.SETTLED if action is OperatorAction.SETTLE else Observed.PARKED_AGAIN, parked)


def _done(since: Iterable[LogLine], then: str) -> str:
    """Return a text with the steps that ended, such as "authorise_payment is undone.", and then `then`."""
    words = {Kind.DONE: "done", Kind.UNDONE: "undone", Kind.REFUSED: "refused", Kind.SETTLED: "settled"}
    parts = [f"{line.step} is {words[line.kind]}" for line in since if line.kind in words and line.step]
    return f"{', '.join(parts)}. {then}" if parts else then
