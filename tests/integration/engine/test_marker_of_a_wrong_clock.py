"""A clock that was wrong for a moment must not blind recovery, or make it send what merely waits."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from uuid_utils.compat import uuid7

from orchestration.db import clocks
from orchestration.engine import engine, markers, recovery
from orchestration.models import Marker, SagaInstance
from orchestration.protocol.events import StepFailed, StepRefused
from orchestration.protocol.saga import LONGEST_WAIT
from orchestration.protocol.states import Operation
from orchestration.sagas.checkout import checkout
from tests.support.shop import Shop

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AHEAD = timedelta(days=365)  # a host that booted with a wrong clock, until NTP put it right
FORWARD, UNDO = "checkout.v2:forward", "checkout.v2:undo"


def start(now):
    request = Shop().request()
    origin = engine.Origin("ann", request.idempotency_key, "hash")
    return engine.start_saga(checkout, request, saga_id=uuid7(), origin=origin, now=now).saga_id


def test_a_marker_that_a_wrong_clock_sent_and_the_broker_lost_is_followed_by_another(sent):
    """The refund's message is lost; nothing but a marker can find that out."""
    saga_id = start(NOW)
    engine.apply(saga_id, StepRefused("schedule_shipment", {"code": "cannot_deliver", "detail": "no"}), now=NOW)
    markers.send(UNDO, [], now=NOW + AHEAD)  # and it is lost
    sent.markers.clear()

    for minutes in range(1, 120):
        recovery.run_once(clock=lambda minutes=minutes: NOW + timedelta(minutes=minutes))

    assert sent.markers, "no marker was sent for two hours, and none will be for a year: the refund is forgotten"


def test_a_marker_that_a_wrong_clock_sent_does_not_prove_later_messages_lost(sent):
    markers.send(FORWARD, [], now=NOW + AHEAD)
    markers.record_confirmed_return(FORWARD, NOW + AHEAD)
    later = NOW + timedelta(minutes=1)
    start(later)  # its message waits in a backlog

    seen = recovery.run_once(clock=lambda: later + settings.PRESUMED_LOST_AFTER)

    assert seen == 0, "sent again although nothing says that it is lost"
    assert SagaInstance.objects.get().token == 1


def test_a_marker_that_a_wrong_clock_sent_is_not_remembered_or_it_would_prove_things_later(sent):
    Marker.objects.create(route=FORWARD, sent_at=NOW)
    markers.record_confirmed_return(FORWARD, clocks.now() + timedelta(hours=1))

    assert Marker.objects.get().returned_sent_at is None


def test_a_remembered_marker_from_the_future_is_forgotten_for_the_next_that_comes_back(sent):
    start(NOW)
    Marker.objects.create(route=FORWARD, sent_at=NOW + AHEAD, returned_sent_at=NOW + AHEAD)
    overdue = NOW + settings.PRESUMED_LOST_AFTER
    recovery.run_once(clock=lambda: overdue)
    markers.record_confirmed_return(FORWARD, overdue)

    assert recovery.run_once(clock=lambda: overdue) == 1


def test_a_saga_that_a_wrong_clock_made_due_in_an_hour_is_looked_at_now(sent):
    """Its message is lost, too."""
    start(NOW + timedelta(hours=1))

    recovery.run_once(clock=lambda: NOW)
    [(_, marker_sent_at)] = sent.markers
    later = NOW + settings.PRESUMED_LOST_AFTER
    recovery.run_once(clock=lambda: later)
    markers.record_confirmed_return(FORWARD, later)

    assert marker_sent_at == NOW
    assert recovery.run_once(clock=lambda: later) == 1


def test_a_breaker_that_stays_open_for_hours_is_asked_again_before_its_saga_is_due_too_late(sent):
    saga_id, hours = start(NOW), timedelta(hours=5)
    waits = StepFailed("authorise_payment", Operation.ACTION, 1, {"class": "BreakerOpen"}, until=hours)
    SagaInstance.objects.update(deadline_at=NOW + 2 * hours)

    engine.apply(saga_id, waits, now=NOW)

    assert SagaInstance.objects.get().due_at == NOW + LONGEST_WAIT
    assert recovery.run_once(clock=lambda: NOW) == 0
