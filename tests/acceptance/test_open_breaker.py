"""A breaker that is open: waiting for it is not an attempt."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.contracts.payments import authorise_payment
from orchestration.engine import engine, selectors
from payments.tasks import participant as payments

pytestmark = pytest.mark.usefixtures("audited")


def test_open_breaker_is_not_an_attempt(shop, start_worker):
    breaker = payments.commands[authorise_payment].breaker
    breaker.force_open(until=datetime.now(UTC) + timedelta(hours=1))
    worker = start_worker()

    saga_id = shop.place()
    shop.reaches(saga_id, "waiting authorise_payment")

    assert "authorise_payment" not in shop.ledger(saga_id)
    steps = {step.name: step for step in selectors.progress(shop.saga(saga_id))}
    assert steps["authorise_payment"].attempts == 0
    assert steps["authorise_payment"].last_error["class"] == "BreakerOpen"

    worker.stop()
    breaker.close()
    engine.resume_saga(saga_id, by="ada", reason="the gateway is well again", now=datetime.now(UTC))
    start_worker()  # a fresh process does not remember that it was open
    assert shop.ended(saga_id) == ["completed"]
    assert "failed authorise_payment" not in shop.story(saga_id)
