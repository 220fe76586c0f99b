"""The bars of a saga's timeline: one for each attempt and each wait, read from the log and the ledgers. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaLogEntry
from orchestration.operators.insight.lock_waits import lock_text
from orchestration.operators.insight.message_position import PASSED
from orchestration.operators.insight.saga_view import SagaView
from orchestration.participant.ledger import LedgerRow
from orchestration.protocol.itinerary import Stop, itinerary
from orchestration.protocol.next_command import pending_command
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Kind, Operation, Phase
from orchestration.sagas import UnknownDefinition, definition_of
from orchestration.text import formatting

SHORTEST = timedelta(milliseconds=1)
"""The shortest bar that is drawn. A bar that took less time gets this length, so that it is visible."""


class Look(StrEnum):
    """What a bar means; each has its own look."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation failed"
    BARRED = "barred"
    WAITING = "waiting"
    PARKED = "parked"
    UNDER_WAY = "under way"


@dataclass(frozen=True)
class TimelineBar:
    """One period in the row of a step; `title` describes it."""

    step: str
    look: Look
    start: datetime
    end: datetime
    title: str


_ENDS_PARKING = frozenset({Kind.RESUMED, Kind.SETTLED})
_TRIED = frozenset({Kind.FAILED, Kind.WAITING, Kind.QUEUED})


def steps_of(view: SagaView) -> list[str]:
    """Return the names of the steps, in order; if this code lacks the definition, those that the log names."""
    saga = _definition(view)
    named = [step.name for step in saga.steps] if saga else []
    return list(dict.fromkeys([*named, *(entry.step for entry in view.log if entry.step)]))


def skipped_of(view: SagaView) -> frozenset[str]:
    """Return the names of the steps that the saga does not need."""
    return state_of(view.instance).skipped


def pivot_of(view: SagaView) -> str:
    """Return the pivot's name; empty if this code lacks the definition."""
    saga = _definition(view)
    return saga.pivot.name if saga else ""


def pivot_done_at(view: SagaView) -> datetime | None:
    """Return when the pivot was done, or found done; None if it is not. From then on the saga only goes forward."""
    pivot = pivot_of(view)
    done = (e.at for e in view.log if e.step == pivot and e.kind in (Kind.DONE, Kind.PIVOT_DONE))
    return next(done, None)


def bars_of(view: SagaView, now: datetime) -> list[TimelineBar]:
    """Return every bar, step by step. Bars of one step follow each other and do not overlap."""
    found = [*_from_the_log(view, now), *_under_way(view, now)]
    return [bar for step in steps_of(view) for bar in _without_overlap([bar for bar in found if bar.step == step])]


def _without_overlap(bars: Sequence[TimelineBar]) -> Iterator[TimelineBar]:
    """Yield the bars of one step so that none overlaps another and none is shorter than `SHORTEST`."""
    until: datetime | None = None
    for bar in sorted(bars, key=lambda bar: (bar.start, bar.end)):
        start = max(bar.start, until) if until else bar.start
        until = max(bar.end, start + SHORTEST)
        yield TimelineBar(bar.step, bar.look, start, until, bar.title)


def _from_the_log(view: SagaView, now: datetime) -> Iterator[TimelineBar]:
    log, begun = view.log, view.instance.created_at
    for position, entry in enumerate(log):
        look = _look(entry, log)
        if look is not None:
            yield _bar(entry.step, look, begun, entry.at, formatting.error(entry.detail) if entry.detail else "")
        if entry.kind in _TRIED and not _is_parked_now(log, position):
            yield _waiting(view, position, now)
        if entry.kind == Kind.PARKED:
            yield _parked(view, position, now)
        if entry.kind in (Kind.STARTED, Kind.SENT, Kind.DONE, Kind.UNDONE):
            begun = entry.at


def _look(entry: SagaLogEntry, log: Sequence[SagaLogEntry]) -> Look | None:
    undoing = entry.phase == Phase.COMPENSATING
    match entry.kind:
        case Kind.DONE:
            return Look.DONE
        case Kind.REFUSED:
            return Look.REFUSED
        case Kind.FAILED:
            return Look.COMPENSATION_FAILED if undoing else Look.FAILED
        case Kind.UNDONE:
            return Look.COMPENSATED
        case Kind.PIVOT_BARRED:
            return Look.BARRED
        case Kind.PIVOT_DONE if not any(e.kind == Kind.DONE and e.step == entry.step for e in log):
            return Look.DONE
        case _:
            return None


def _is_parked_now(log: Sequence[SagaLogEntry], position: int) -> bool:
    """Return whether this try was the last one before the step was parked."""
    behind = log[position + 1 : position + 2]
    return bool(behind) and behind[0].kind == Kind.PARKED and behind[0].step == log[position].step


def _waiting(view: SagaView, position: int, now: datetime) -> TimelineBar:
    entry = view.log[position]
    until = None if _waits_still(view, position) else _sent_again(view, position)
    until = until or _planned_end(view, now)
    until_text = f" until {formatting.moment(until)}"
    return _bar(entry.step, Look.WAITING, entry.at, until, _reason(entry), until_text)


def _reason(entry: SagaLogEntry) -> str:
    if entry.kind == Kind.QUEUED:
        return f"{lock_text(entry.detail['resource'])} is held by saga {entry.detail['holder']}"
    return formatting.error(entry.detail)


def _waits_still(view: SagaView, position: int) -> bool:
    """Return whether the entry tells of the lock that the saga waits for now. It waits also while it asks again."""
    step = view.log[position].step
    is_newest = all(entry.step != step for entry in view.log[position + 1 :])
    return is_newest and view.instance.waits_for is not None and view.log[position].kind == Kind.QUEUED


def _sent_again(view: SagaView, position: int) -> datetime | None:
    """Return when the step was sent again: the time of the last message sent before the step's next log entry."""
    step, sent = view.log[position].step, None
    for entry in view.log[position + 1 :]:
        if entry.step == step:
            return sent or entry.at
        if entry.kind == Kind.SENT and entry.at > view.log[position].at:
            sent = entry.at
    return sent or view.instance.ended_at


def _planned_end(view: SagaView, now: datetime) -> datetime:
    """Return when a wait that still lasts is due to end; now, if that time has passed or is not known."""
    due = None if view.instance.in_flight else view.instance.due_at
    return max(now, due) if due else now


def _parked(view: SagaView, position: int, now: datetime) -> TimelineBar:
    entry = view.log[position]
    behind = view.log[position + 1 :]
    ends = (e.at for e in behind if e.kind in _ENDS_PARKING or (e.step == entry.step and e.kind == Kind.UNDONE))
    until = next(ends, view.instance.ended_at or now)
    return _bar(entry.step, Look.PARKED, entry.at, until, formatting.error(entry.detail))


def _under_way(view: SagaView, now: datetime) -> Iterator[TimelineBar]:
    """Yield the bars of the message that was sent last and is not yet reported, as far as the ledgers show them."""
    saga, state = _definition(view), state_of(view.instance)
    command = pending_command(saga, state) if saga and state.in_flight else None
    if saga is None or command is None:
        return
    begun = max(view.instance.dispatched_at, *(entry.at for entry in view.log[-1:]))
    for stop in itinerary(saga, command)[0]:
        row = _row(view, saga, stop)
        if row is None or row.status not in PASSED[stop.operation]:
            yield _bar(stop.step, Look.UNDER_WAY, begun, now, stop.operation.value)
            return
        if row.changed_at > begun:
            look = Look.DONE if stop.operation is Operation.ACTION else Look.COMPENSATED
            yield _bar(stop.step, look, begun, row.changed_at, "as its ledger says")
            begun = row.changed_at


def _row(view: SagaView, saga: Saga, stop: Stop) -> LedgerRow | None:
    rows = view.ledgers.get(saga.by_name[stop.step].action.service) or ()
    return next((row for row in rows if row.step == stop.step), None)


def _bar(step: str, look: Look, start: datetime, end: datetime, detail: str = "", until: str = "") -> TimelineBar:
    end = max(end, start)
    length = _length(end - start)
    title = f"{step}: {look.value}, {length} from {formatting.moment(start)}{until}"
    return TimelineBar(step, look, start, end, f"{title} – {detail}" if detail else title)  # noqa: RUF001  an en dash is meant


def _length(span: timedelta) -> str:
    milliseconds = span / timedelta(milliseconds=1)
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else formatting.span(span)


def _definition(view: SagaView) -> Saga | None:
    try:
        return definition_of(view.instance.definition)
    except UnknownDefinition:
        return None
