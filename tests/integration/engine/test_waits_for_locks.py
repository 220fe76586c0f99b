"""The row of a saga that waits for a lock names the lock and its holder, and recovery lets the saga ask again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from orchestration import sagas
from orchestration.contracts.order_changes import ORDER
from orchestration.engine import engine, recovery
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.events import CancelRequested, LockGranted, StepWaits
from orchestration.protocol.lock_waits import ASK_AGAIN_WITHIN
from orchestration.protocol.states import Bar, Forward
from orchestration.sagas.refund_order import refund_order
from tests.support.lock_waits import RESOURCE, STEP, start_refund

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOLDER = UUID(int=7)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sagas.definitions, refund_order.name, refund_order)


def wait(token: int = 1, since: datetime = NOW) -> StepWaits:
    return StepWaits(STEP, token, RESOURCE, HOLDER, before=0, since=since)


def test_row_of_a_waiting_saga_names_lock_holder_and_start(sent):
    saga_id = start_refund(NOW)

    instance = engine.apply(saga_id, wait(), now=NOW)

    instance.refresh_from_db()
    assert (instance.waits, instance.in_flight, instance.failing_step) == (True, False, "")
    assert (instance.waits_for, instance.waits_on, instance.waits_since) == (HOLDER, RESOURCE, NOW)
    assert instance.due_at is not None
    assert NOW <= instance.due_at <= NOW + ASK_AGAIN_WITHIN


def test_waiting_saga_is_due_at_the_latest_when_its_patience_is_over(sent):
    saga_id = start_refund(NOW)

    instance = engine.apply(saga_id, wait(since=NOW - ORDER.patience), now=NOW)

    assert instance.due_at == NOW


def test_waiting_saga_asks_again_without_a_marker_and_still_waits(sent):
    saga_id = start_refund(NOW)
    due_at = engine.apply(saga_id, wait(), now=NOW).due_at

    assert recovery.run_once(clock=lambda: due_at) == 1
    assert sent.commands == [(Forward(0), 1), (Forward(0), 2)]
    assert sent.markers == []
    instance = SagaInstance.objects.get(pk=saga_id)
    assert (instance.waits, instance.waits_for, instance.in_flight) == (True, HOLDER, True)


def test_granted_lock_sends_the_saga_at_once(sent):
    saga_id = start_refund(NOW)
    engine.apply(saga_id, wait(), now=NOW)

    engine.apply(saga_id, LockGranted(STEP), now=NOW)

    assert sent.commands == [(Forward(0), 1), (Forward(0), 2)]


def test_row_of_a_saga_that_is_given_up_names_no_holder(sent):
    saga_id = start_refund(NOW)
    engine.apply(saga_id, wait(), now=NOW)

    engine.apply(saga_id, CancelRequested(), now=NOW + timedelta(seconds=1))

    instance = SagaInstance.objects.get(pk=saga_id)
    assert sent.commands[-1] == (Bar(), 2)
    assert (instance.waits, instance.waits_for, instance.waits_on, instance.waits_since) == (False, None, "", None)
    assert "waits" not in instance.progress


def test_log_says_what_a_saga_waits_for(sent):
    saga_id = start_refund(NOW)
    engine.apply(saga_id, wait(), now=NOW)

    entry = SagaLogEntry.objects.get(saga_id=saga_id, kind="queued")

    assert (entry.step, entry.phase, entry.token) == (STEP, "running", 1)
    assert entry.detail == {"resource": RESOURCE, "holder": str(HOLDER), "before": 0}


def test_database_refuses_a_wait_of_a_saga_that_does_not_run(sent):
    saga_id = start_refund(NOW)
    engine.apply(saga_id, CancelRequested(), now=NOW)

    with pytest.raises(IntegrityError, match="saga_waits_only_while_running"), transaction.atomic("orchestration"):
        SagaInstance.objects.filter(pk=saga_id).update(waits_for=HOLDER, waits_on=RESOURCE, waits_since=NOW)
