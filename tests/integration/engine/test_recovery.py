"""Recovery: what is due is sent, what is lost is sent again, what waits is left alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connections, transaction
from kombu.exceptions import OperationalError
from uuid_utils.compat import uuid7

from orchestration.engine import engine, markers, recovery
from orchestration.models import Marker, SagaInstance
from orchestration.protocol.events import CancelRequested, StepFailed, StepRefused
from orchestration.protocol.states import Bar, Operation, Undo
from orchestration.protocol.transitions import TooLate
from orchestration.sagas.checkout import checkout
from tests.support.shop import Shop, forward_from
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OVERDUE = NOW + settings.PRESUMED_LOST_AFTER
FORWARD = "checkout.v2:forward"


def start(now: datetime = NOW):
    request = Shop().request()
    origin = engine.Origin("ann", request.idempotency_key, "hash")
    return engine.start_saga(checkout, request, saga_id=uuid7(), origin=origin, now=now).saga_id


def failed(step: str, token: int = 1) -> StepFailed:
    return StepFailed(step, Operation.ACTION, token, {"class": "GatewayDown", "message": "503"})


def test_what_is_not_due_is_left_alone(sent):
    start()

    assert recovery.run_once(clock=lambda: NOW) == 0
    assert len(sent.commands) == 1


def test_an_overdue_saga_is_not_sent_again_while_its_message_may_wait(sent):
    start()

    assert recovery.run_once(clock=lambda: OVERDUE) == 0
    assert len(sent.commands) == 1
    assert sent.markers == [(FORWARD, OVERDUE)]


def test_an_overdue_saga_is_sent_again_once_a_later_marker_has_come_back(sent):
    start()
    recovery.run_once(clock=lambda: OVERDUE)
    markers.record_confirmed_return(FORWARD, OVERDUE)

    assert recovery.run_once(clock=lambda: OVERDUE) == 1
    assert sent.commands == [(forward_from("reserve_stock"), 1), (forward_from("reserve_stock"), 2)]


def test_a_marker_sent_before_the_saga_proves_nothing(sent):
    markers.send(FORWARD, [], now=NOW - settings.MARKER_PERIOD)
    markers.record_confirmed_return(FORWARD, NOW - settings.MARKER_PERIOD)
    start()

    assert recovery.run_once(clock=lambda: OVERDUE) == 0


def test_markers_are_sent_one_at_a_time_until_one_comes_back(sent):
    start()
    for tick in range(10):
        recovery.run_once(clock=lambda tick=tick: OVERDUE + tick * settings.MARKER_PERIOD / 5)

    assert len(sent.markers) == 2


def test_an_old_marker_that_comes_back_late_does_not_count_back(sent):
    start()
    markers.send(FORWARD, [], now=OVERDUE)
    markers.record_confirmed_return(FORWARD, OVERDUE)
    markers.record_confirmed_return(FORWARD, NOW - timedelta(hours=1))

    assert recovery.run_once(clock=lambda: OVERDUE) == 1


def test_a_failed_step_is_sent_again_when_its_retry_is_due(sent):
    saga_id = start()
    engine.apply(saga_id, failed("authorise_payment"), now=NOW, known={})
    due_at = SagaInstance.objects.get().due_at

    assert NOW <= due_at <= NOW + timedelta(seconds=3)
    assert recovery.run_once(clock=lambda: due_at) == 1
    assert sent.commands[-1] == (forward_from("reserve_stock"), 2)


def test_answers_already_known_are_not_asked_for_again(sent):
    saga_id = start()
    event = StepFailed(
        "schedule_shipment", Operation.ACTION, 1, {"class": "X"}, (("reserve_stock", NOW), ("authorise_payment", NOW))
    )
    engine.apply(saga_id, event, now=NOW, known={"authorisation_id": "auth-1"})
    recovery.run_once(clock=lambda: OVERDUE)

    assert sent.commands[-1] == (forward_from("schedule_shipment"), 2)
    assert SagaInstance.objects.get().answers == {"authorisation_id": "auth-1"}


def test_a_passed_deadline_bars_the_pivot_even_of_a_saga_that_waits(sent):
    start()
    recovery.run_once(clock=lambda: NOW + checkout.deadline)

    assert sent.commands[-1] == (Bar(), 2)
    assert SagaInstance.objects.get().failure["code"] == "deadline_passed"


def test_a_refusal_compensates_at_once_in_reverse_order(sent):
    saga_id = start()
    refused = StepRefused("schedule_shipment", {"code": "cannot_deliver", "detail": "no"})
    engine.apply(saga_id, refused, now=NOW)

    assert sent.commands[-1] == (Undo(("authorise_payment", "reserve_stock")), 2)


def test_a_saga_that_another_process_has_locked_is_skipped(sent):
    start()
    SagaInstance.objects.update(in_flight=False, due_at=NOW)

    with transaction.atomic(using="orchestration"):
        SagaInstance.objects.select_for_update().get()
        [seen] = at_once(1, lambda _: recovery.run_once(clock=lambda: NOW))

    assert seen == 0


def test_two_rounds_at_once_send_each_saga_once(sent):
    for _ in range(60):
        start()
    SagaInstance.objects.update(in_flight=False, due_at=NOW)

    at_once(4, lambda _: recovery.run_once(clock=lambda: NOW))

    assert len(sent.commands) == 60 + 60


def test_one_sagas_error_does_not_stop_the_others(sent, monkeypatch):
    broken, fine = start(), start()
    SagaInstance.objects.filter(pk=broken).update(definition="gone.v1", due_at=NOW, in_flight=False)
    SagaInstance.objects.filter(pk=fine).update(due_at=NOW, in_flight=False)

    assert recovery.run_once(clock=lambda: NOW) == 2
    assert sent.commands[-1] == (forward_from("reserve_stock"), 2)


def test_nothing_is_claimed_while_the_broker_is_away(sent):
    start()
    SagaInstance.objects.update(in_flight=False, due_at=NOW)
    sent.away = True

    assert recovery.run_once(clock=lambda: NOW) == 0
    assert SagaInstance.objects.get().token == 1


def test_events_that_race_are_decided_one_after_the_other(sent):
    saga_id = start()

    def cancel_or_fail(number: int) -> None:
        event = CancelRequested() if number % 2 else failed("reserve_stock")
        engine.apply(saga_id, event, now=NOW)

    at_once(8, cancel_or_fail)

    saga = SagaInstance.objects.get()
    assert (saga.phase, saga.token) == ("barring", 2)
    assert [entry.sequence for entry in saga.log.all()] == list(range(1, saga.log_length + 1))


def test_a_cancel_after_the_pivot_is_too_late(sent):
    saga_id = start()
    engine.apply(saga_id, failed("capture_payment"), now=NOW)

    with pytest.raises(TooLate):
        engine.cancel_saga(saga_id, now=NOW)


def test_an_ended_saga_cannot_be_due(sent):
    from django.db import IntegrityError

    start()
    with pytest.raises(IntegrityError, match="saga_ended_is_never_due"), transaction.atomic(using="orchestration"):
        SagaInstance.objects.update(phase="completed", ended_at=NOW)
    connections["orchestration"].close()


def test_each_log_entry_says_the_phase_and_token_from_then_on(sent):
    saga_id = start()
    refused = StepRefused("schedule_shipment", {"code": "cannot_deliver", "detail": "no"}, (("reserve_stock", NOW),))
    engine.apply(saga_id, refused, now=NOW)

    reported = [(entry.kind, entry.phase, entry.token) for entry in SagaInstance.objects.get().log.order_by("sequence")]
    assert reported == [
        ("started", "running", 1),
        ("done", "running", 1),
        ("refused", "compensating", 1),
        ("sent", "compensating", 2),
    ]


def test_a_message_that_a_worker_held_when_the_marker_passed_is_not_lost(sent):
    saga_id = start(datetime.now(UTC) - settings.PRESUMED_LOST_AFTER)
    now = datetime.now(UTC)
    markers.send(FORWARD, [], now=now)
    markers.record_return(FORWARD, now)

    markers.confirm(ask=lambda marker: {(saga_id, 1)})

    assert recovery.run_once(clock=lambda: now) == 0
    later = datetime.now(UTC) + 2 * settings.PRESUMED_LOST_AFTER
    markers.record_confirmed_return(FORWARD, now + settings.PRESUMED_LOST_AFTER / 4)
    assert recovery.run_once(clock=lambda: later) == 0, "that marker was sent before the worker was seen to hold it"
    Marker.objects.update(returned_sent_at=later)
    assert recovery.run_once(clock=lambda: later) == 1


def test_an_older_message_that_a_worker_holds_says_nothing_of_the_one_that_counts(sent):
    saga_id, now = start(datetime.now(UTC) - settings.PRESUMED_LOST_AFTER), datetime.now(UTC)
    SagaInstance.objects.update(token=2)
    markers.send(FORWARD, [], now=now)
    markers.record_return(FORWARD, now)

    markers.confirm(ask=lambda marker: {(saga_id, 1)})

    assert recovery.run_once(clock=lambda: now) == 1


def test_a_marker_proves_nothing_while_workers_cannot_be_asked(sent, monkeypatch):
    def away(marker):
        raise OperationalError("the broker is away")

    start(datetime.now(UTC) - settings.PRESUMED_LOST_AFTER)
    now = datetime.now(UTC)
    markers.send(FORWARD, [], now=now)
    markers.record_return(FORWARD, now)
    with pytest.raises(OperationalError):
        markers.confirm(ask=away)

    assert Marker.objects.get().returned_sent_at is None
