"""The why line, decided: which cause comes first, and what it says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestration.models import SagaInstance
from orchestration.operators.insight.breakers import BreakerNow
from orchestration.operators.insight.db_locks import Blocked
from orchestration.operators.insight.dead_letters import DeadLetter
from orchestration.operators.insight.lock_waits import LockWaitNow
from orchestration.operators.insight.message_position import MessagePosition
from orchestration.operators.insight.queues import QueueNow
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.status import SagaStatus
from orchestration.operators.insight.why_facts import UNTIL_OPERATOR, Cause, Facts, LogReport
from orchestration.operators.insight.why_rules import decide
from orchestration.protocol.states import LockWait, Operation
from payments.models import Ledger

NOW = datetime(2026, 1, 1, 14, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PAY = MessagePosition("payments.authorise_payment", "authorise_payment", Operation.ACTION, "payments", None, None)
TIMEOUT = {"class": "GatewayTimeout", "message": "no answer within 1 s"}
OTHER_SAGA = UUID(int=7)
AWAY = Unavailable("RabbitMQ does not answer: refused")

SENT = Facts(
    now=NOW,
    status=SagaStatus.RUNNING,
    definition="checkout.v1",
    phase="running",
    in_flight=True,
    dispatched_at=NOW - 14 * SECOND,
    due_at=NOW + 46 * SECOND,
    deadline_at=NOW + 600 * SECOND,
    ended_at=None,
    failed_tries=0,
    failing_step="",
    recovery_period=SECOND,
    where=PAY,
    queue=QueueNow("payments", 0, 1),
    reports=QueueNow("orchestrator", 0, 1),
    breaker=BreakerNow("payments.gateway", "payments", "closed", 0, None),
)
FAILED = replace(
    SENT,
    status=SagaStatus.RETRYING,
    in_flight=False,
    failed_tries=6,
    failing_step="authorise_payment",
    due_at=NOW + 11 * SECOND,
    failed=LogReport("authorise_payment", NOW, TIMEOUT),
)
OPEN = BreakerNow("payments.gateway", "payments", "open", 5, NOW + 8 * SECOND)
LETTER = DeadLetter(
    *("1", "payments.authorise_payment", "id", None, "authorise_payment", 1, "payments", "rejected"),
    *(NOW - 60 * SECOND, "", 10),
)
LOCK = Blocked("inventory", 7, NOW - 3 * SECOND, "stock MUG-01", "MUG-01", 8, "active", NOW - 9 * SECOND, OTHER_SAGA)
STARTED = Ledger(step="authorise_payment", status="started", changed_at=NOW - 14 * SECOND)


def holder(**columns: Any) -> SagaInstance:
    """The saga that holds the lock on an order."""
    usual = {
        "id": OTHER_SAGA,
        "definition": "checkout.v1",
        "phase": "finishing",
        "due_at": NOW + 11 * SECOND,
        "in_flight": False,
    }
    return SagaInstance(**usual | {"progress": {"done": ["place_order"]}} | columns)


def lock_held(by: SagaInstance | None, *, before: int = 0, until: datetime = NOW + 18 * SECOND) -> Facts:
    wait = LockWait("open_change", "order:0198", OTHER_SAGA, since=NOW - 12 * SECOND)
    waiting = replace(FAILED, status=SagaStatus.WAITING, failing_step="", failed_tries=0, failed=None)
    return replace(waiting, lock=LockWaitNow(wait, until, before, by))


def parked(step: str = "authorise_payment", **detail: str) -> Facts:
    told = LogReport(step, NOW, detail)
    return replace(SENT, status=SagaStatus.PARKED, in_flight=False, due_at=None, failed_tries=60, parked=(told,))


def paused(**detail: str) -> Facts:
    return replace(SENT, status=SagaStatus.PAUSED, due_at=None, paused=LogReport("", NOW, detail))


@pytest.mark.parametrize(
    ("facts", "cause", "sentence", "then"),
    [
        (
            replace(SENT, phase="completed", ended_at=NOW - 90 * SECOND),
            Cause.ENDED,
            "Completed 1 min 30 s ago.",
            "Nothing remains to be done.",
        ),
        (
            replace(SENT, knows_definition=False),
            Cause.LACKS_DEFINITION,
            "This process has no saga definition checkout.v1.",
            "It continues when a process that has this definition runs.",
        ),
        (
            paused(by="ada", reason="the gateway is being moved"),
            Cause.PAUSED,
            "Paused by ada: the gateway is being moved.",
            UNTIL_OPERATOR,
        ),
        (paused(), Cause.PAUSED, "Paused by an unknown operator.", UNTIL_OPERATOR),
        (
            parked(**TIMEOUT),
            Cause.PARKED,
            "Parked: executing authorise_payment failed 60 times; last error: GatewayTimeout: no answer within 1 s. "
            "Operator action required.",
            UNTIL_OPERATOR,
        ),
        (
            parked("capture_payment", code="card_declined", detail="The card was declined."),
            Cause.PARKED,
            "capture_payment was refused (card_declined: The card was declined.). Operator action required.",
            UNTIL_OPERATOR,
        ),
        (
            parked(**{"class": "OutcomeUnknown"}),
            Cause.PARKED,
            "The outcome of authorise_payment can no longer be determined. Operator action required.",
            UNTIL_OPERATOR,
        ),
        (
            replace(parked(**TIMEOUT), phase="compensating", due_at=NOW + 9 * SECOND, failed_tries=1),
            Cause.PARKED,
            "Parked: compensating authorise_payment failed: GatewayTimeout: no answer within 1 s. "
            "Operator action required.",
            "The other compensations continue. Recovery checks it at 14:02:09.",
        ),
        (
            replace(SENT, dead_letters=(LETTER,)),
            Cause.DEAD_LETTER,
            "Its message payments.authorise_payment has been in the dead-letter queue for 1 min (rejected).",
            "Recovery checks from 14:02:46 on whether its message is lost, and if so sends it again.",
        ),
        (
            replace(FAILED, due_at=NOW - 40 * SECOND),
            Cause.RECOVERY_OVERDUE,
            "Overdue for 40 s: recovery is not running, or cannot keep up.",
            "It continues when recovery runs.",
        ),
        (
            replace(FAILED, due_at=NOW - 40 * SECOND, reports=QueueNow("orchestrator", 3, 0)),
            Cause.RECOVERY_OVERDUE,
            "Overdue for 40 s: no orchestrator is running.",
            "It continues when recovery runs.",
        ),
        (
            replace(FAILED, status=SagaStatus.WAITING, failing_step="", reports=AWAY),
            Cause.BROKER_AWAY,
            "The broker is unavailable.",
            "Recovery checks it at 14:02:11.",
        ),
        (
            replace(FAILED, status=SagaStatus.WAITING, breaker=OPEN),
            Cause.BREAKER_OPEN,
            "authorise_payment is waiting: breaker payments.gateway is open, next probe in 8 s.",
            "Recovery checks it at 14:02:11.",
        ),
        (
            replace(FAILED, status=SagaStatus.WAITING, breaker=Unavailable("Redis does not answer: gone")),
            Cause.BREAKER_OPEN,
            "authorise_payment is waiting: its breaker was open.",
            "Recovery checks it at 14:02:11.",
        ),
        (
            FAILED,
            Cause.RETRY,
            "authorise_payment failed (GatewayTimeout: no answer within 1 s): retry 6 at 14:02:11.",
            "Recovery checks it at 14:02:11.",
        ),
        (
            replace(FAILED, due_at=FAILED.deadline_at),
            Cause.RETRY,
            "authorise_payment failed (GatewayTimeout: no answer within 1 s): retry 6 at 14:12:00.",
            "Recovery checks it at 14:12:00, its deadline, and then gives it up.",
        ),
        (
            replace(FAILED, failing_step="", due_at=NOW),
            Cause.DUE,
            "It is due, and no message of it is in flight.",
            "Recovery checks it now.",
        ),
        (
            replace(SENT, database=Unavailable("the database of payments does not answer")),
            Cause.DATABASE_DOWN,
            "authorise_payment is waiting: the database of payments does not answer.",
            "Recovery checks from 14:02:46 on whether its message is lost, and if so sends it again.",
        ),
        (
            replace(SENT, blocked=(LOCK,)),
            Cause.LOCKED,
            f"Waiting for 3 s for a lock on stock MUG-01 held by saga {OTHER_SAGA}.",
            "It continues when that transaction ends. A wait that is too long fails and is retried.",
        ),
        (
            replace(SENT, queue=QueueNow("payments", None)),
            Cause.QUEUE_MISSING,
            "Queue payments does not exist.",
            "Recovery checks from 14:02:46 on whether its message is lost, and if so sends it again.",
        ),
        (
            replace(SENT, queue=QueueNow("payments", 3, 0)),
            Cause.NO_CONSUMER,
            "Queue payments has no consumer.",
            "It continues when a worker consumes that queue.",
        ),
        (
            replace(SENT, where=replace(PAY, row=STARTED)),
            Cause.EXTERNAL_CALL,
            "Waiting for payments for 14 s: the call of authorise_payment has no answer yet.",
            "Workers query its outcome. "
            "Recovery checks from 14:02:46 on whether its message is lost, and if so sends it again.",
        ),
        (
            replace(SENT, queue=QueueNow("payments", 40, 2)),
            Cause.IN_QUEUE,
            "Waiting in queue payments for 14 s.",
            "It continues when a worker takes its message.",
        ),
        (
            replace(SENT, where=replace(PAY, arrived_at=NOW - 3 * SECOND)),
            Cause.UNDER_WAY,
            "Executing authorise_payment in payments for 3 s.",
            "Recovery checks from 14:02:46 on whether its message is lost, and if so sends it again.",
        ),
        (
            replace(SENT, where=replace(PAY, step="", service="")),
            Cause.UNDER_WAY,
            "Every step has answered. The report has been in flight for 14 s.",
            "Recovery checks from 14:02:46 on whether its message is lost, and if so sends it again.",
        ),
    ],
)
def test_each_cause_is_said_in_one_sentence(facts: Facts, cause: Cause, sentence: str, then: str) -> None:
    why = decide(facts)
    assert (why.sentence, why.next, why.cause) == (sentence, then, cause)
    assert why.needs_a_person == (then == UNTIL_OPERATOR)


EVERYTHING = replace(
    SENT,
    ended_at=NOW,
    knows_definition=False,
    dead_letters=(LETTER,),
    breaker=OPEN,
    database=Unavailable("the database of payments does not answer"),
    blocked=(LOCK,),
    queue=QueueNow("payments", None),
    where=replace(PAY, row=STARTED),
)
REMOVED: tuple[tuple[Cause, dict[str, Any]], ...] = (
    (Cause.ENDED, {"ended_at": None}),
    (Cause.LACKS_DEFINITION, {"knows_definition": True}),
    (Cause.DEAD_LETTER, {"dead_letters": ()}),
    (Cause.BREAKER_OPEN, {"breaker": None}),
    (Cause.DATABASE_DOWN, {"database": None}),
    (Cause.LOCKED, {"blocked": ()}),
    (Cause.QUEUE_MISSING, {"queue": QueueNow("payments", 3, 0)}),
    (Cause.NO_CONSUMER, {"queue": QueueNow("payments", 3, 1)}),
    (Cause.EXTERNAL_CALL, {"where": PAY}),
    (Cause.IN_QUEUE, {"queue": QueueNow("payments", 0, 1)}),
    (Cause.UNDER_WAY, {}),
)


def test_of_several_causes_the_one_that_must_go_first_is_said() -> None:
    facts, said = EVERYTHING, []
    for _, without in REMOVED:
        said.append(decide(facts).cause)
        facts = replace(facts, **without)

    assert said == [cause for cause, _ in REMOVED]


@pytest.mark.parametrize("unknown", ["queue", "reports", "breaker", "dead_letters", "blocked"])
def test_a_source_that_is_silent_is_no_cause(unknown: str) -> None:
    assert decide(replace(SENT, **{unknown: AWAY})).cause is Cause.UNDER_WAY  # type: ignore[arg-type]


def test_a_call_without_an_answer_is_evidence_for_who_waits_to_try_again() -> None:
    [evidence] = decide(replace(FAILED, where=replace(PAY, row=STARTED))).evidence
    assert evidence == "the outcome of a call of authorise_payment has been unknown for 14 s: workers query it"


def test_a_holder_whose_saga_is_unknown_is_named_by_its_session() -> None:
    why = decide(replace(SENT, blocked=(replace(LOCK, holder_saga=None, row="", names=""),)))
    assert why.sentence == "Waiting for 3 s for a lock held by session 8."
    assert why.evidence == ("session 8 of inventory is active, its transaction began 9 s ago",)


def test_a_time_on_another_day_is_said_with_its_date() -> None:
    assert (
        "retry 6 at 2026-01-02 00:00:01."
        in decide(replace(FAILED, due_at=datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC))).sentence
    )


WAITED = f"open_change has waited 12 s for order 0198, held by saga {OTHER_SAGA}"


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (lock_held(None), f"{WAITED}."),
        (
            lock_held(holder(failing_step="capture_payment", failed_tries=3), before=1),
            f"{WAITED} (checkout.v1, capture_payment failed 3 times, next try 14:02:11); 1 saga is before it.",
        ),
        (
            lock_held(holder(in_flight=True), before=2),
            f"{WAITED} (checkout.v1, executing capture_payment); 2 sagas are before it.",
        ),
        (
            lock_held(holder(failing_step="capture_payment", parked=True, due_at=None)),
            f"{WAITED} (checkout.v1, capture_payment is parked).",
        ),
        (lock_held(holder(paused=True, due_at=None)), f"{WAITED} (checkout.v1, paused)."),
        (
            lock_held(holder(phase="running", progress={}, waits=True, waits_for=UUID(int=9), waits_on="wallet:7")),
            f"{WAITED} (checkout.v1, reserve_stock waits for wallet 7).",
        ),
        (
            lock_held(holder(waits=True, failing_step="capture_payment")),
            f"{WAITED} (checkout.v1, capture_payment waits).",
        ),
        (lock_held(holder(phase="barring", progress={})), f"{WAITED} (checkout.v1, barring place_order)."),
        (
            lock_held(holder(phase="compensating", progress={})),
            f"{WAITED} (checkout.v1, compensating schedule_shipment).",
        ),
        (lock_held(holder(phase="completed", due_at=None)), f"{WAITED} (checkout.v1, completed)."),
    ],
)
def test_wait_for_a_lock_names_its_holder_and_what_that_does(facts: Facts, sentence: str) -> None:
    why = decide(facts)

    assert (why.cause, why.sentence, why.step) == (Cause.LOCK_HELD, sentence, "open_change")
    assert why.next == "It continues when it gets the lock. If it does not by 14:02:18, it is refused."


def test_wait_that_has_lasted_long_enough_is_said_to_end() -> None:
    then = "Its patience is over: it asks once more, and is refused if the lock is still held."
    assert decide(lock_held(holder(), until=NOW)).next == then


def test_wait_for_a_lock_comes_before_a_broker_that_is_away() -> None:
    assert decide(replace(lock_held(holder()), reports=AWAY)).cause is Cause.LOCK_HELD


def test_saga_that_asks_for_its_lock_again_is_where_its_message_is() -> None:
    asking = replace(lock_held(holder()), in_flight=True)

    assert decide(asking).cause is Cause.UNDER_WAY
    assert decide(replace(asking, queue=QueueNow("payments", 3, 1))).cause is Cause.IN_QUEUE
