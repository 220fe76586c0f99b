"""The rules that decide from facts why a saga does not move. Pure.

Each rule returns the why line of one cause, or None if the cause does not apply. The first rule that applies counts.
"""

from collections.abc import Callable
from datetime import datetime

from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.queues import QueueNow
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.status import SagaStatus
from orchestration.operators.insight.why_facts import UNTIL_OPERATOR, Cause, Facts, LogReport, Why
from orchestration.participant.ledger import Status
from orchestration.protocol.states import Operation
from orchestration.text import formatting

OPERATOR = "Operator action required."


def decide(facts: Facts) -> Why:
    """Return the why line of the first cause that applies. The last cause always applies."""
    return next(why for cause in CAUSES if (why := cause(facts)))


def _ended(facts: Facts) -> Why | None:
    if facts.ended_at is None:
        return None
    ago = formatting.span(facts.now - facts.ended_at)
    rest = f"Saga {facts.retried_by} does its work again." if facts.retried_by else "Nothing remains to be done."
    return Why(f"{facts.phase.capitalize()} {ago} ago.", Cause.ENDED, rest)


def _lacks_definition(facts: Facts) -> Why | None:
    if facts.knows_definition:
        return None
    sentence = f"This process has no saga definition {facts.definition}."
    return Why(sentence, Cause.LACKS_DEFINITION, "It continues when a process that has this definition runs.")


def _paused(facts: Facts) -> Why | None:
    if facts.status is not SagaStatus.PAUSED:
        return None
    return Why(f"Paused{_operator_and_reason(facts.paused)}.", Cause.PAUSED, UNTIL_OPERATOR)


def _parked(facts: Facts) -> Why | None:
    if facts.status is not SagaStatus.PARKED:
        return None
    report = facts.parked[0] if facts.parked else LogReport(facts.failing_step, facts.now, {})
    others = facts.due_at is not None
    going_on = f"The other compensations continue. {_next_check(facts)}" if others else UNTIL_OPERATOR
    return Why(_parked_sentence(facts, report), Cause.PARKED, going_on, report.step, _also_parked(facts.parked[1:]))


def _dead_letter(facts: Facts) -> Why | None:
    if not facts.in_flight or isinstance(facts.dead_letters, Unavailable) or not facts.dead_letters:
        return None
    dead_letter = facts.dead_letters[0]
    where = f"in the dead-letter queue{_for_span(dead_letter.died_at, facts.now)}"
    verb, reason = "has been" if dead_letter.died_at else "is", dead_letter.reason or "no reason given"
    sentence = f"Its message {dead_letter.task} {verb} {where} ({reason})."
    return Why(sentence, Cause.DEAD_LETTER, _message_check(facts), dead_letter.step)


def _recovery_overdue(facts: Facts) -> Why | None:
    """Report that the saga is overdue by more than five recovery periods."""
    if facts.in_flight or facts.due_at is None or facts.due_at > facts.now - 5 * facts.recovery_period:
        return None
    alone = isinstance(facts.reports, QueueNow) and facts.reports.has_no_consumer
    why = "no orchestrator is running" if alone else "recovery is not running, or cannot keep up"
    late = formatting.span(facts.now - facts.due_at)
    return Why(f"Overdue for {late}: {why}.", Cause.RECOVERY_OVERDUE, "It continues when recovery runs.")


def _lock_held(facts: Facts) -> Why | None:
    if facts.lock is None or facts.in_flight:
        return None
    return Why(facts.lock.sentence(facts.now), Cause.LOCK_HELD, facts.lock.next(facts.now), facts.lock.wait.step)


def _broker_away(facts: Facts) -> Why | None:
    if facts.status is not SagaStatus.WAITING or facts.failing_step or facts.in_flight:
        return None
    away = isinstance(facts.reports, Unavailable)
    sentence = f"The broker {'is unavailable' if away else 'did not accept its message'}."
    return Why(sentence, Cause.BROKER_AWAY, _next_check(facts))


def _breaker_open(facts: Facts) -> Why | None:
    breaker = facts.breaker
    is_open = isinstance(breaker, BreakerNow) and breaker.state != "closed"
    waits = facts.status is SagaStatus.WAITING and facts.failing_step  # without a failing step it waits for a lock
    if not waits and not (facts.in_flight and is_open):
        return None
    step = facts.failing_step or (facts.where.step if facts.where else "")
    if not isinstance(breaker, BreakerNow) or not is_open:
        return Why(f"{step} is waiting: its breaker was open.", Cause.BREAKER_OPEN, _next_check(facts), step)
    probe = breaker.next_probe
    when = f"next probe in {formatting.span(probe - facts.now)}" if probe and probe > facts.now else "next call probes"
    failures = (formatting.count(breaker.failures, "consecutive failure"),) if breaker.failures else ()
    next_ = _message_check(facts) if facts.in_flight else _next_check(facts)
    return Why(
        f"{step} is waiting: breaker {breaker.name} is {breaker.state}, {when}.",
        Cause.BREAKER_OPEN,
        next_,
        step,
        failures,
    )


def _retry(facts: Facts) -> Why | None:
    if facts.in_flight or not facts.failing_step or facts.due_at is None:
        return None
    error = formatting.error(facts.failed.detail) if facts.failed else formatting.NOTHING
    at = formatting.time_of_day(facts.due_at, facts.now)
    sentence = f"{facts.failing_step} failed ({error}): retry {facts.failed_tries} at {at}."
    return Why(sentence, Cause.RETRY, _next_check(facts), facts.failing_step, _unknown_outcome(facts))


def _due(facts: Facts) -> Why | None:
    if facts.in_flight:
        return None
    return Why("It is due, and no message of it is in flight.", Cause.DUE, _next_check(facts))


def _database_down(facts: Facts) -> Why | None:
    if facts.database is None or facts.where is None:
        return None
    return Why(
        f"{facts.where.step or 'It'} is waiting: {facts.database.why}.", Cause.DATABASE_DOWN, _message_check(facts)
    )


def _locked(facts: Facts) -> Why | None:
    if isinstance(facts.blocked, Unavailable) or not facts.blocked:
        return None
    lock = facts.blocked[0]
    holder = f"saga {lock.holder_saga}" if lock.holder_saga else f"session {lock.holder}"
    what = f"on {lock.row} " if lock.row else ""
    state = f"session {lock.holder} of {lock.alias} is {lock.holder_state or 'gone'}"
    began = f", its transaction began {formatting.span(facts.now - lock.holder_since)} ago" if lock.holder_since else ""
    sentence = f"Waiting{_for_span(lock.since, facts.now)} for a lock {what}held by {holder}."
    next_ = "It continues when that transaction ends. A wait that is too long fails and is retried."
    return Why(sentence, Cause.LOCKED, next_, _step(facts), (state + began,))


def _queue_missing(facts: Facts) -> Why | None:
    if not isinstance(facts.queue, QueueNow) or not facts.queue.is_missing:
        return None
    return Why(f"Queue {facts.queue.name} does not exist.", Cause.QUEUE_MISSING, _message_check(facts), _step(facts))


def _no_consumer(facts: Facts) -> Why | None:
    if not isinstance(facts.queue, QueueNow) or not facts.queue.has_no_consumer:
        return None
    sentence = f"Queue {facts.queue.name} has no consumer."
    waits = (f"{formatting.count(facts.queue.messages or 0, 'message')} waiting in it",)
    return Why(sentence, Cause.NO_CONSUMER, "It continues when a worker consumes that queue.", _step(facts), waits)


def _external_call(facts: Facts) -> Why | None:
    row = facts.where.row if facts.where else None
    if facts.where is None or row is None or row.status not in (Status.STARTED, Status.UNDOING):
        return None
    since = formatting.span(facts.now - row.changed_at)
    sentence = f"Waiting for {facts.where.service} for {since}: the call of {facts.where.step} has no answer yet."
    next_ = f"Workers query its outcome. {_message_check(facts)}"
    return Why(sentence, Cause.EXTERNAL_CALL, next_, facts.where.step)


def _in_queue(facts: Facts) -> Why | None:
    if not isinstance(facts.queue, QueueNow) or not facts.queue.messages:
        return None
    consumers = facts.queue.consumers
    workers = "" if consumers is None else f", {formatting.count(consumers, 'consumer')}"
    sentence = f"Waiting in queue {facts.queue.name} for {formatting.span(facts.now - _since(facts))}."
    evidence = (f"{formatting.count(facts.queue.messages, 'message')} waiting in it{workers}",)
    return Why(sentence, Cause.IN_QUEUE, "It continues when a worker takes its message.", _step(facts), evidence)


def _under_way(facts: Facts) -> Why:
    since = formatting.span(facts.now - _since(facts))
    if facts.where is None:
        return Why(f"In flight for {since}.", Cause.UNDER_WAY, _message_check(facts))
    if not facts.where.step:
        return Why(
            f"Every step has answered. The report has been in flight for {since}.",
            Cause.UNDER_WAY,
            _message_check(facts),
        )
    doing = {
        Operation.ACTION: "Executing",
        Operation.COMPENSATION: "Compensating",
        Operation.BAR: "Barring",
    }[facts.where.operation]
    sentence = f"{doing} {facts.where.step} in {facts.where.service} for {since}."
    return Why(sentence, Cause.UNDER_WAY, _message_check(facts), facts.where.step)


CAUSES: tuple[Callable[[Facts], Why | None], ...] = (
    *(_ended, _lacks_definition, _paused, _parked, _dead_letter),
    *(_recovery_overdue, _lock_held, _broker_away, _breaker_open, _retry, _due),
    *(_database_down, _locked, _queue_missing, _no_consumer, _external_call, _in_queue, _under_way),
)
"""The rules in order. First causes that need an operator, then missing recovery, then waits, then work under way."""


def _step(facts: Facts) -> str:
    return facts.where.step if facts.where else ""


def _since(facts: Facts) -> datetime:
    """Return when the message arrived at its current step, or was dispatched."""
    arrived = facts.where.arrived_at if facts.where else None
    return max(facts.dispatched_at, arrived) if arrived else facts.dispatched_at


def _parked_sentence(facts: Facts, report: LogReport) -> str:
    code, error = report.detail.get("code"), formatting.error(report.detail)
    doing = "compensating" if facts.phase == "compensating" else "executing"
    if code:
        return f"{report.step} was refused ({error}). {OPERATOR}"
    if report.detail.get("class") == "OutcomeUnknown":
        return f"The outcome of {report.step} can no longer be determined. {OPERATOR}"
    tries = f" failed {facts.failed_tries} times; last error:" if facts.failed_tries > 1 else " failed:"
    return f"Parked: {doing} {report.step}{tries} {error}. {OPERATOR}"


def _also_parked(others: tuple[LogReport, ...]) -> tuple[str, ...]:
    return tuple(f"{report.step} is also parked: {formatting.error(report.detail)}" for report in others)


def _unknown_outcome(facts: Facts) -> tuple[str, ...]:
    """Say, as evidence, that a call of the step has no known outcome."""
    row = facts.where.row if facts.where else None
    if facts.where is None or row is None or row.status not in (Status.STARTED, Status.UNDOING):
        return ()
    since = formatting.span(facts.now - row.changed_at)
    return (f"the outcome of a call of {facts.where.step} has been unknown for {since}: workers query it",)


def _operator_and_reason(report: LogReport | None) -> str:
    if report is None:
        return ""
    by, reason = report.detail.get("by") or "an unknown operator", report.detail.get("reason")
    return f" by {by}" + (f": {reason}" if reason else "")


def _next_check(facts: Facts) -> str:
    """Say when recovery checks the saga next."""
    if facts.due_at is None:
        return UNTIL_OPERATOR
    if facts.due_at <= facts.now:
        return "Recovery checks it now."
    return f"Recovery checks it at {formatting.time_of_day(facts.due_at, facts.now)}{_if_deadline(facts)}."


def _if_deadline(facts: Facts) -> str:
    """Return the words to add if the next check is at the saga's deadline."""
    return (
        ", its deadline, and then gives it up" if facts.phase == "running" and facts.due_at == facts.deadline_at else ""
    )


def _message_check(facts: Facts) -> str:
    """Say when recovery checks whether the saga's message is lost."""
    if facts.due_at is None:
        return UNTIL_OPERATOR
    when = f"from {formatting.time_of_day(facts.due_at, facts.now)} on" if facts.due_at > facts.now else "now"
    return f"Recovery checks {when} whether its message is lost, and if so sends it again."


def _for_span(since: datetime | None, now: datetime) -> str:
    """Return a text such as " for 57 s"; empty if the start is not known."""
    return f" for {formatting.span(now - since)}" if since else ""
