"""The progress of a saga's steps, from its row and the rows of the ledgers."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from orchestration.engine.row_mapping import Origin, new_instance
from orchestration.engine.selectors import Logged, Seen, progress
from orchestration.protocol.states import Kind
from orchestration.sagas.checkout import checkout
from tests.support.shop import Shop

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOLDER = "0198b2a0-0000-7000-8000-000000000007"


def test_step_that_waits_for_a_lock_was_not_attempted_and_does_not_tell_who_holds_the_lock() -> None:
    instance = new_instance(checkout, Shop().request(), UUID(int=1), Origin("ann", "key", "hash"), NOON)
    instance.in_flight = False
    log = [Logged(Kind.QUEUED, "reserve_stock", "running", {"resource": "order:1", "holder": HOLDER}, NOON)]
    rows = [Seen("reserve_stock", "waiting", NOON + timedelta(seconds=1))]

    steps = progress(instance, log, {"inventory": rows, "payments": [], "shipping": [], "orders": []})
    step = next(each for each in steps if each.name == "reserve_stock")

    assert (step.status, step.attempts, step.since) == ("waiting", 0, NOON + timedelta(seconds=1))
    assert step.last_error is None
