"""Why a saga does not move, decided from the facts: the first cause that holds, in one order. Pure."""

from collections.abc import Callable
from datetime import datetime

from orchestration import wording
from orchestration.insight.breakers import BreakerNow
from orchestration.insight.facts import UNTIL_A_PERSON, Cause, Facts, Told, Why
from orchestration.insight.queues import QueueNow
from orchestration.insight.reading import Unavailable
from orchestration.insight.status import Status
from orchestration.participant.ledger import Status as Ledger
from orchestration.states import Operation


def decide(facts: Facts) -> Why:
    """The first cause that holds; the last one always does."""
    return next(why for cause in CAUSES if (why := cause(facts)))


def _ended(facts: Facts) -> Why | None:
    if facts.ended_at is None:
        return None
    since = wording.span(facts.now - facts.ended_at)
    return Why(f"It is {facts.phase} since {since}.", Cause.ENDED, "Nothing is owed.")


def _lacks_definition(facts: Facts) -> Why | None:
    if facts.knows_definition:
        return None
    sentence = f"This process lacks the saga definition {facts.definition}."
    return Why(sentence, Cause.LACKS_DEFINITION, "Only code that has it can carry the saga on.")


def _paused(facts: Facts) -> Why | None:
    if facts.status is not Status.PAUSED:
        return None
    return Why(f"Paused{_by(facts.paused)}.", Cause.PAUSED, UNTIL_A_PERSON)


def _parked(facts: Facts) -> Why | None:
    if facts.status is not Status.PARKED:
        return None
    told = facts.parked[0] if facts.parked else Told(facts.failing_step, facts.now, {})
    others = facts.due_at is not None
    going_on = f"The other compensations go on. {_recovery(facts)}" if others else UNTIL_A_PERSON
    return Why(_parked_sentence(facts, told), Cause.PARKED, going_on, told.step, _evidence_of(facts.parked[1:]))


def _dead_letter(facts: Facts) -> Why | None:
    if not facts.in_flight or isinstance(facts.letters, Unavailable) or not facts.letters:
        return None
    letter = facts.letters[0]
    since = f" since {wording.span(facts.now - letter.died_at)}" if letter.died_at else ""
    sentence = f"Its message {letter.task} is in the dead-letter queue{since} ({letter.reason or 'no reason given'})."
    return Why(sentence, Cause.DEAD_LETTER, _sent_again(facts), letter.step)


def _nobody_looks(facts: Facts) -> Why | None:
    """Recovery is late by more than it can be while it runs."""
    if facts.in_flight or facts.due_at is None or facts.due_at > facts.now - 5 * facts.recovery_period:
        return None
    alone = isinstance(facts.reports, QueueNow) and not facts.reports.consumers
    who = "no orchestrator runs" if alone else "recovery does not keep up, or does not run"
    late = wording.span(facts.now - facts.due_at)
    return Why(f"It is due since {late} and nobody looks: {who}.", Cause.NOBODY_LOOKS, "It goes on when recovery runs.")


def _broker_away(facts: Facts) -> Why | None:
    if facts.status is not Status.WAITING or facts.failing_step:
        return None
    away = isinstance(facts.reports, Unavailable)
    sentence = f"The broker {'is away' if away else 'did not take its message'}."
    return Why(sentence, Cause.BROKER_AWAY, _recovery(facts))


def _breaker_open(facts: Facts) -> Why | None:
    breaker = facts.breaker
    is_open = isinstance(breaker, BreakerNow) and breaker.state != "closed"
    if facts.status is not Status.WAITING and not (facts.in_flight and is_open):
        return None
    step = facts.failing_step or (facts.where.step if facts.where else "")
    if not isinstance(breaker, BreakerNow) or not is_open:
        return Why(f"{step} waits: its breaker was open.", Cause.BREAKER_OPEN, _recovery(facts), step)
    probe = breaker.next_probe
    when = f"next probe in {wording.span(probe - facts.now)}" if probe and probe > facts.now else "the next call probes"
    failures = (f"{breaker.failures} failures in a row",) if breaker.failures else ()
    next_ = _sent_again(facts) if facts.in_flight else _recovery(facts)
    return Why(
        f"{step} waits: breaker {breaker.name} is {breaker.state}, {when}.", Cause.BREAKER_OPEN, next_, step, failures
    )


def _retry(facts: Facts) -> Why | None:
    if facts.in_flight or not facts.failing_step or facts.due_at is None:
        return None
    said = wording.error(facts.failed.detail) if facts.failed else wording.NOTHING
    sentence = f"{facts.failing_step} failed ({said}): retry {facts.failed_tries} at {_clock(facts.due_at, facts.now)}."
    return Why(sentence, Cause.RETRY, _recovery(facts), facts.failing_step, _open_call(facts))


def _due(facts: Facts) -> Why | None:
    if facts.in_flight:
        return None
    return Why("Nothing of it is under way; it is due.", Cause.DUE, _recovery(facts))


def _database_down(facts: Facts) -> Why | None:
    if facts.database is None or facts.where is None:
        return None
    return Why(f"{facts.where.step or 'It'} waits: {facts.database.why}.", Cause.DATABASE_DOWN, _sent_again(facts))


def _locked(facts: Facts) -> Why | None:
    if isinstance(facts.blocked, Unavailable) or not facts.blocked:
        return None
    lock = facts.blocked[0]
    holder = f"saga {lock.holder_saga}" if lock.holder_saga else f"session {lock.holder}"
    what = f"on {lock.row} " if lock.row else ""
    waits = f" since {wording.span(facts.now - lock.since)}" if lock.since else ""
    state = f"session {lock.holder} of {lock.alias} is {lock.holder_state or 'gone'}"
    began = f", its transaction began {wording.span(facts.now - lock.holder_since)} ago" if lock.holder_since else ""
    sentence = f"It waits for a lock {what}held by {holder}{waits}."
    next_ = "It goes on when that transaction ends; a wait that is too long is given up, and tried again."
    return Why(sentence, Cause.LOCKED, next_, _step(facts), (state + began,))


def _queue_missing(facts: Facts) -> Why | None:
    if not isinstance(facts.queue, QueueNow) or not facts.queue.is_missing:
        return None
    return Why(f"Queue {facts.queue.name} is not there.", Cause.QUEUE_MISSING, _sent_again(facts), _step(facts))


def _no_consumer(facts: Facts) -> Why | None:
    if not isinstance(facts.queue, QueueNow) or facts.queue.consumers:
        return None
    sentence = f"Queue {facts.queue.name} has no consumer."
    waits = (f"{facts.queue.messages} messages wait in it",)
    return Why(sentence, Cause.NO_CONSUMER, "It goes on when a worker consumes that queue.", _step(facts), waits)


def _called_outside(facts: Facts) -> Why | None:
    row = facts.where.row if facts.where else None
    if facts.where is None or row is None or row.status not in (Ledger.STARTED, Ledger.UNDOING):
        return None
    since = wording.span(facts.now - row.changed_at)
    sentence = f"Waiting for {facts.where.service} since {since}: the call of {facts.where.step} has no answer yet."
    next_ = f"Workers ask what became of it; {_sent_again(facts, first=False)}"
    return Why(sentence, Cause.CALLED_OUTSIDE, next_, facts.where.step)


def _in_queue(facts: Facts) -> Why | None:
    if not isinstance(facts.queue, QueueNow) or not facts.queue.messages:
        return None
    behind = f"{facts.queue.messages} messages wait in it, {facts.queue.consumers} workers consume it"
    sentence = f"Waiting in queue {facts.queue.name} since {wording.span(facts.now - _since(facts))}."
    return Why(sentence, Cause.IN_QUEUE, "It goes on when its turn comes.", _step(facts), (behind,))


def _under_way(facts: Facts) -> Why:
    since = wording.span(facts.now - _since(facts))
    if facts.where is None:
        return Why("It is under way.", Cause.UNDER_WAY, _sent_again(facts))
    if not facts.where.step:
        return Why(
            f"Every step has answered; the report is on its way since {since}.", Cause.UNDER_WAY, _sent_again(facts)
        )
    doing = {
        Operation.ACTION: "being carried out",
        Operation.COMPENSATION: "being compensated",
        Operation.BAR: "being barred",
    }[facts.where.operation]
    sentence = f"{facts.where.step} is {doing} by {facts.where.service} since {since}."
    return Why(sentence, Cause.UNDER_WAY, _sent_again(facts), facts.where.step)


CAUSES: tuple[Callable[[Facts], Why | None], ...] = (
    *(_ended, _lacks_definition, _paused, _parked, _dead_letter),
    *(_nobody_looks, _broker_away, _breaker_open, _retry, _due),
    *(_database_down, _locked, _queue_missing, _no_consumer, _called_outside, _in_queue, _under_way),
)
"""In this order: what a person must do, what nobody looks after, what it waits for, what it is doing."""


def _step(facts: Facts) -> str:
    return facts.where.step if facts.where else ""


def _since(facts: Facts) -> datetime:
    """Since when it is where it is."""
    arrived = facts.where.arrived_at if facts.where else None
    return max(facts.dispatched_at, arrived) if arrived else facts.dispatched_at


def _parked_sentence(facts: Facts, told: Told) -> str:
    code, said = told.detail.get("code"), wording.error(told.detail)
    doing = "compensating" if facts.phase == "compensating" else "carrying out"
    if code:
        return f"{told.step} is refused ({said}): a person is needed."
    if told.detail.get("class") == "OutcomeUnknown":
        return f"Nobody can find out what became of {told.step} any more: a person is needed."
    tries = f" failed {facts.failed_tries} times," if facts.failed_tries > 1 else " failed,"
    return f"Parked: {doing} {told.step}{tries} last {said}: a person is needed."


def _evidence_of(others: tuple[Told, ...]) -> tuple[str, ...]:
    return tuple(f"{told.step} is parked, too: {wording.error(told.detail)}" for told in others)


def _open_call(facts: Facts) -> tuple[str, ...]:
    row = facts.where.row if facts.where else None
    if facts.where is None or row is None or row.status not in (Ledger.STARTED, Ledger.UNDOING):
        return ()
    since = wording.span(facts.now - row.changed_at)
    return (f"the outcome of a call of {facts.where.step} is unknown since {since}: workers ask about it",)


def _by(told: Told | None) -> str:
    if told is None:
        return ""
    by, reason = told.detail.get("by") or "nobody knows whom", told.detail.get("reason")
    return f" by {by}" + (f": {reason}" if reason else "")


def _recovery(facts: Facts) -> str:
    if facts.due_at is None:
        return UNTIL_A_PERSON
    if facts.due_at <= facts.now:
        return "Recovery looks at it now."
    return f"Recovery looks at it at {_clock(facts.due_at, facts.now)}{_given_up(facts)}."


def _given_up(facts: Facts) -> str:
    return (
        ", and gives it up: its deadline is then"
        if facts.phase == "running" and facts.due_at == facts.deadline_at
        else ""
    )


def _sent_again(facts: Facts, *, first: bool = True) -> str:
    if facts.due_at is None:
        return UNTIL_A_PERSON
    when = f"from {_clock(facts.due_at, facts.now)} on" if facts.due_at > facts.now else "now"
    who = "Recovery" if first else "recovery"
    return f"{who} looks {when} whether its message is lost, and then sends it again."


def _clock(at: datetime, now: datetime) -> str:
    """The time of day in UTC, with its date unless that is today's."""
    return wording.moment(at)[:19] if at.date() != now.date() else wording.moment(at)[11:19]
