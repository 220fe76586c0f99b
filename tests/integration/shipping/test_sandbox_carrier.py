"""The sandbox carrier: its guards, its keys, its test tokens."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from orchestration.contracts.values import Address, Line
from shipping.carriers.port import (
    Booking,
    BookingStatus,
    CannotDeliver,
    CarrierBroken,
    CarrierDown,
    CarrierTimeout,
    KeyReused,
    NotPossible,
    Parcel,
)
from shipping.carriers.sandbox.carrier import SandboxCarrier
from shipping.carriers.sandbox.models import Kind, Operation
from shipping.carriers.sandbox.selectors import bookings_by_key
from tests.support.clock import Clock
from tests.support.failover import end_session
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=["carrier"])

LINES = (Line("MUG-01", 2, 999),)


def parcel(line2: str = "") -> Parcel:
    return Parcel("order-1", LINES, Address("Ada", "1 Mill Lane", "Leeds", "LS1 4AP", "GB", line2))


def operations() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def test_a_booking_is_found_by_its_key_and_order(carrier: SandboxCarrier) -> None:
    booking = carrier.book(parcel(), key="b")
    assert booking.status == BookingStatus.BOOKED
    assert carrier.find(key="b", reference="order-1") == booking == carrier.look_up(booking.tracking_number)
    assert carrier.find(key="x", reference="order-1") is None
    assert carrier.find(key="b", reference="order-2") is None


def test_a_happy_booking_is_one_statement(carrier: SandboxCarrier) -> None:
    with CaptureQueriesContext(connections["carrier"]) as queries:
        carrier.book(parcel(), key="b")
    assert len(queries) == 1


def test_the_same_call_again_repeats_the_first_answer(carrier: SandboxCarrier) -> None:
    booking = carrier.book(parcel(), key="b")
    cancelled = carrier.cancel(booking.tracking_number, key="c")
    assert carrier.book(parcel(), key="b") == booking
    assert carrier.cancel(booking.tracking_number, key="c") == cancelled
    assert carrier.look_up(booking.tracking_number) == cancelled
    assert operations() == [Kind.BOOK, Kind.CANCEL]


def test_a_key_used_for_something_else_is_an_error(carrier: SandboxCarrier) -> None:
    booking = carrier.book(parcel(), key="b")
    with pytest.raises(KeyReused):
        carrier.book(replace(parcel(), lines=()), key="b")
    with pytest.raises(KeyReused):
        carrier.cancel(booking.tracking_number, key="b")


def test_a_booking_is_cancelled_once(carrier: SandboxCarrier) -> None:
    booking = carrier.book(parcel(), key="b")
    carrier.cancel(booking.tracking_number, key="c")
    with pytest.raises(NotPossible):
        carrier.cancel(booking.tracking_number, key="c2")


@pytest.mark.parametrize("unknown", ["SB" + "0" * 32, "1Z999", ""])
def test_an_unknown_tracking_number_is_an_error(carrier: SandboxCarrier, unknown: str) -> None:
    with pytest.raises(NotPossible):
        carrier.look_up(unknown)
    with pytest.raises(NotPossible):
        carrier.cancel(unknown, key="c")


def test_a_refusal_is_remembered_under_its_key(carrier: SandboxCarrier) -> None:
    for _ in range(2):
        with pytest.raises(CannotDeliver):
            carrier.book(parcel("carrier_refuse"), key="b")
    with pytest.raises(CannotDeliver):
        carrier.find(key="b", reference="order-1")
    assert operations() == [Kind.BOOK]


def test_a_refused_booking_cannot_be_cancelled(carrier: SandboxCarrier) -> None:
    with pytest.raises(CannotDeliver):
        carrier.book(parcel("carrier_refuse"), key="b")
    with pytest.raises(NotPossible):
        carrier.cancel(Operation.objects.get().tracking_number, key="c")


def test_timeout_before_does_nothing_the_first_time(carrier: SandboxCarrier, clock: Clock) -> None:
    with pytest.raises(CarrierTimeout):
        carrier.book(parcel("carrier_timeout_before"), key="b")
    assert (clock.slept, operations()) == (1, [])
    carrier.book(parcel("carrier_timeout_before"), key="b")
    assert operations() == [Kind.BOOK]


def test_timeout_after_does_it_and_says_nothing(carrier: SandboxCarrier, clock: Clock) -> None:
    with pytest.raises(CarrierTimeout):
        carrier.book(parcel("carrier_timeout_after"), key="b")
    assert (clock.slept, operations()) == (1, [Kind.BOOK])
    again = carrier.book(parcel("carrier_timeout_after"), key="b")
    assert again == carrier.find(key="b", reference="order-1")


def test_a_late_answer_comes_late_once(carrier: SandboxCarrier, clock: Clock) -> None:
    first = carrier.book(parcel("carrier_late_1"), key="b")
    assert carrier.book(parcel("carrier_late_1"), key="b") == first
    assert clock.slept == 1


def test_an_answer_later_than_the_timeout_is_not_heard(carrier: SandboxCarrier, clock: Clock) -> None:
    with pytest.raises(CarrierTimeout):
        carrier.book(parcel("carrier_late_2"), key="b")
    assert (clock.slept, operations()) == (1, [Kind.BOOK])


def test_fail_n_fails_n_calls_of_each_key(carrier: SandboxCarrier) -> None:
    for key in ("a", "b"):
        for _ in range(2):
            with pytest.raises(CarrierBroken):
                carrier.book(parcel("carrier_fail_2"), key=key)
        carrier.book(parcel("carrier_fail_2"), key=key)
    assert operations() == [Kind.BOOK] * 2


def test_cancel_fail_n_fails_cancellations_only(carrier: SandboxCarrier) -> None:
    booking = carrier.book(parcel("carrier_cancel_fail_1"), key="b")
    with pytest.raises(CarrierBroken):
        carrier.cancel(booking.tracking_number, key="c")
    assert carrier.cancel(booking.tracking_number, key="c").status == BookingStatus.CANCELLED


def test_a_collected_parcel_cannot_be_cancelled(carrier: SandboxCarrier) -> None:
    booking = carrier.book(parcel("carrier_collected"), key="b")
    collected = Booking(booking.tracking_number, BookingStatus.COLLECTED)
    assert carrier.look_up(booking.tracking_number) == carrier.find(key="b", reference="order-1") == collected
    with pytest.raises(NotPossible, match="was collected"):
        carrier.cancel(booking.tracking_number, key="c")
    assert bookings_by_key(now=carrier._now())["b"].is_live
    assert operations() == [Kind.BOOK]


def test_what_arrives_late_is_not_found_before_its_time(carrier: SandboxCarrier, clock: Clock) -> None:
    with pytest.raises(CarrierTimeout):
        carrier.book(parcel("carrier_arrives_late_60"), key="b")
    assert carrier.find(key="b", reference="order-1") is None
    clock.sleep(60)
    found = carrier.find(key="b", reference="order-1")
    assert found == carrier.book(parcel("carrier_arrives_late_60"), key="b")
    assert operations() == [Kind.BOOK]


def test_what_arrives_late_finds_its_key_taken(carrier: SandboxCarrier, clock: Clock) -> None:
    with pytest.raises(CarrierTimeout):
        carrier.book(parcel("carrier_arrives_late_60"), key="b")
    booking = carrier.book(parcel("carrier_arrives_late_60"), key="b")
    carrier.cancel(booking.tracking_number, key="c")
    clock.sleep(60)
    assert not bookings_by_key(now=clock.now())["b"].is_live
    assert operations() == [Kind.BOOK, Kind.CANCEL]


def test_the_books_show_each_booking_and_what_became_of_it(carrier: SandboxCarrier, clock: Clock) -> None:
    live = carrier.book(parcel(), key="live")
    carrier.cancel(carrier.book(parcel(), key="off").tracking_number, key="c")
    with pytest.raises(CarrierTimeout):
        carrier.book(parcel("carrier_arrives_late_60"), key="late")
    before, after = bookings_by_key(now=clock.now()), bookings_by_key(now=clock.now() + timedelta(seconds=60))
    assert {key: booking.is_live for key, booking in before.items()} == {"live": True, "off": False}
    assert {key: booking.is_live for key, booking in after.items()} == {"live": True, "off": False, "late": True}
    assert (before["live"].tracking_number, before["off"].cancel_key) == (live.tracking_number, "c")


def test_one_key_in_eight_threads_books_once(carrier: SandboxCarrier) -> None:
    bookings = at_once(8, lambda _: carrier.book(parcel(), key="b"))
    assert len(set(bookings)) == 1
    assert operations() == [Kind.BOOK]


def test_cancellations_at_once_do_one_thing(carrier: SandboxCarrier) -> None:
    booking = carrier.book(parcel(), key="b")
    results = at_once(8, lambda number: carrier.cancel(booking.tracking_number, key=f"c{number}"))
    assert sum(isinstance(result, Booking) for result in results) == 1
    assert sum(isinstance(result, NotPossible) for result in results) == 7


def test_a_lost_database_is_a_carrier_that_is_down_and_comes_back(carrier: SandboxCarrier) -> None:
    carrier.book(parcel(), key="b")
    end_session("carrier")
    with pytest.raises(CarrierDown):
        carrier.find(key="b", reference="order-1")
    assert carrier.find(key="b", reference="order-1")
