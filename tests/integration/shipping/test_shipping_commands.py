"""The shipping service's commands against the sandbox carrier: called, looked for, recorded."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from orchestration.contracts.shipping import CancelShipment, ScheduleShipment, ShipmentScheduled
from orchestration.contracts.values import Address, Line
from orchestration.participant.breaker_registry import breaker_for
from orchestration.participant.external import Keys
from shipping import services
from shipping.carriers.port import OUTAGES, Booking, BookingStatus, CannotDeliver, CarrierBroken, CarrierTimeout
from shipping.carriers.sandbox.carrier import SandboxCarrier
from shipping.carriers.sandbox.models import Kind, Operation
from shipping.models import Shipment
from shipping.selectors import shipments_by_saga
from shipping.services import BookingLapsed, Cancellation
from tests.support.clock import Clock

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["shipping", "carrier"]),
    pytest.mark.usefixtures("at_the_carrier"),
]

SCHEDULE = Keys(own="schedule", action="schedule")
CANCEL = Keys(own="cancel", action="schedule")

breaker = breaker_for("shipping.carrier", counts=OUTAGES)
booking_command = services.ShipmentBooking(breaker, key_lifetime=None)
cancellation_command = services.ShipmentCancellation(breaker, key_lifetime=None)


def asked(line2: str = "") -> dict[str, Any]:
    return {
        "saga_id": uuid4(),
        "order_id": uuid4(),
        "lines": (Line("MUG-01", 2, 999),),
        "shipping_address": Address("Ada", "1 Mill Lane", "Leeds", "LS1 4AP", "GB", line2),
    }


def scheduled(facts: dict[str, Any]) -> ShipmentScheduled:
    """Schedule as the kit does: call, then record in one transaction."""
    request = ScheduleShipment(**facts)
    booking = booking_command.call(request, SCHEDULE)
    with transaction.atomic(using="shipping"):
        return booking_command.record_all([(request, booking)])[0]


def timed_out(facts: dict[str, Any]) -> None:
    """Schedule, and never hear what became of it."""
    with pytest.raises(CarrierTimeout):
        booking_command.call(ScheduleShipment(**facts), SCHEDULE)


def cancelled(facts: dict[str, Any]) -> Cancellation:
    """Cancel as the kit does: call, then record in one transaction."""
    request = CancelShipment(**facts)
    cancellation = cancellation_command.call(request, CANCEL)
    with transaction.atomic(using="shipping"):
        cancellation_command.record(request, cancellation)
    return cancellation


def ours(saga_id: UUID) -> Booking:
    """Our row, in the carrier's terms."""
    row = shipments_by_saga([saga_id])[saga_id]
    return Booking(row.tracking_number, BookingStatus(row.status))


def kinds() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def test_a_parcel_is_booked_and_written_down(carrier: SandboxCarrier) -> None:
    facts = asked()
    answer = scheduled(facts)
    assert ours(facts["saga_id"]) == carrier.look_up(answer.tracking_number)


def test_an_address_out_of_reach_is_a_refusal_and_writes_nothing() -> None:
    with pytest.raises(CannotDeliver):
        scheduled(asked("carrier_refuse"))
    assert not Shipment.objects.exists()


def test_an_unheard_booking_is_found_by_its_key() -> None:
    facts = asked("carrier_timeout_after")
    timed_out(facts)
    found = booking_command.find(ScheduleShipment(**facts), SCHEDULE)
    assert found == booking_command.call(ScheduleShipment(**facts), SCHEDULE)


def test_a_booking_that_never_arrived_is_not_found() -> None:
    facts = asked("carrier_timeout_before")
    timed_out(facts)
    assert booking_command.find(ScheduleShipment(**facts), SCHEDULE) is None


def test_a_booking_that_was_cancelled_is_not_taken_for_booked(carrier: SandboxCarrier) -> None:
    facts = asked()
    booking = booking_command.call(ScheduleShipment(**facts), SCHEDULE)
    carrier.cancel(booking.tracking_number, key="somebody else")
    with pytest.raises(BookingLapsed):
        booking_command.find(ScheduleShipment(**facts), SCHEDULE)


def test_a_shipment_is_cancelled_once_however_often_asked(carrier: SandboxCarrier) -> None:
    facts = asked()
    answer = scheduled(facts)
    assert cancelled(facts) == cancelled(facts)
    assert ours(facts["saga_id"]) == carrier.look_up(answer.tracking_number)
    assert kinds() == [Kind.BOOK, Kind.CANCEL]


def test_a_booking_that_somebody_else_cancelled_needs_no_cancelling(carrier: SandboxCarrier) -> None:
    facts = asked()
    carrier.cancel(scheduled(facts).tracking_number, key="somebody else")
    cancelled(facts)
    assert ours(facts["saga_id"]).status == BookingStatus.CANCELLED
    assert kinds() == [Kind.BOOK, Kind.CANCEL]


def test_a_booking_cancelled_since_it_was_read_is_cancelled(carrier: SandboxCarrier) -> None:
    booking = booking_command.call(ScheduleShipment(**asked()), SCHEDULE)
    carrier.cancel(booking.tracking_number, key="somebody else")
    assert services.cancel(booking, CANCEL.own).status == BookingStatus.CANCELLED


def test_a_booking_we_wrote_down_is_cancelled_though_the_carrier_forgot_its_key(carrier: SandboxCarrier) -> None:
    facts = asked()
    answer = scheduled(facts)
    cancellation_command.call(CancelShipment(**facts), Keys(own="cancel", action="forgotten"))
    assert carrier.look_up(answer.tracking_number).status == BookingStatus.CANCELLED
    assert kinds() == [Kind.BOOK, Kind.CANCEL]


def test_a_cancellation_after_a_refusal_has_nothing_to_cancel() -> None:
    facts = asked("carrier_refuse")
    with pytest.raises(CannotDeliver):
        booking_command.call(ScheduleShipment(**facts), SCHEDULE)
    assert cancelled(facts) == Cancellation(booking=None)
    assert cancellation_command.find(CancelShipment(**facts), CANCEL) == Cancellation(booking=None)
    assert not Shipment.objects.exists()


def test_an_unheard_booking_is_cancelled_and_written_down_as_cancelled(carrier: SandboxCarrier) -> None:
    facts = asked("carrier_timeout_after")
    timed_out(facts)
    cancelled(facts)
    assert ours(facts["saga_id"]).status == BookingStatus.CANCELLED
    assert ours(facts["saga_id"]) == carrier.find(key=SCHEDULE.own, reference=str(facts["order_id"]))


@pytest.mark.parametrize("line2", ["carrier_timeout_before", "carrier_arrives_late_60"])
def test_a_booking_still_on_its_way_finds_its_key_taken(carrier: SandboxCarrier, clock: Clock, line2: str) -> None:
    facts = asked(line2)
    timed_out(facts)
    cancelled(facts)
    clock.sleep(60)
    assert ours(facts["saga_id"]) == carrier.find(key=SCHEDULE.own, reference=str(facts["order_id"]))
    assert kinds() == [Kind.BOOK, Kind.CANCEL]


def test_a_booking_that_arrived_late_is_cancelled(clock: Clock) -> None:
    facts = asked("carrier_arrives_late_60")
    timed_out(facts)
    clock.sleep(60)
    cancelled(facts)
    assert kinds() == [Kind.BOOK, Kind.CANCEL]


def test_a_cancellation_under_way_is_looked_for_at_the_carrier() -> None:
    facts = asked()
    request = CancelShipment(**facts)
    assert cancellation_command.find(request, CANCEL) is None
    scheduled(facts)
    assert cancellation_command.find(request, CANCEL) is None
    cancellation = cancellation_command.call(request, CANCEL)
    assert cancellation_command.find(request, CANCEL) == cancellation


def test_a_cancellation_fails_until_the_carrier_recovers() -> None:
    facts = asked("carrier_cancel_fail_1")
    scheduled(facts)
    with pytest.raises(CarrierBroken):
        cancelled(facts)
    assert cancelled(facts).booking == ours(facts["saga_id"])


def test_one_saga_has_one_shipment() -> None:
    facts = asked()
    scheduled(facts)
    with pytest.raises(IntegrityError, match="shipment_one_per_saga"):
        booking_command.record_all([(ScheduleShipment(**facts), Booking("SB1", BookingStatus.BOOKED))])


def test_a_shipment_in_no_known_state_is_turned_away() -> None:
    facts = asked()
    scheduled(facts)
    with pytest.raises(IntegrityError, match="shipment_status_is_known"):
        Shipment.objects.filter(saga_id=facts["saga_id"]).update(status="lost")
