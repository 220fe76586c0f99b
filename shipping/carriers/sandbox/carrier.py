"""The sandbox carrier as its clients see it: its books behind a network that misbehaves when a test token says so."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from shipping.carriers.port import Booking, CarrierBroken, CarrierDown, CarrierTimeout, Parcel
from shipping.carriers.sandbox import books
from shipping.carriers.sandbox.behaviour import Behaviour, Trait, behaviour_of


@contextmanager
def reaching_the_carrier() -> Iterator[None]:
    """Show a lost database as what it would be to a client: a carrier that is down."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        connections[books.DATABASE].close()
        raise CarrierDown(str(error)) from error


class SandboxCarrier:
    """A `Carrier` that needs no network. `sleep` and `now` are its clock; it gives up waiting after `timeout`."""

    key_lifetime = None  # its books are kept, and `find` reads them

    def __init__(
        self,
        *,
        timeout: timedelta | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._timeout = timeout or settings.SANDBOX_TIMEOUT
        self._sleep = sleep
        self._now = now

    @reaching_the_carrier()
    def book(self, parcel: Parcel, *, key: str) -> Booking:
        behaviour = behaviour_of(parcel.address.line2)
        if behaviour is None:
            return books.book(parcel, key=key)
        if behaviour.trait is Trait.REFUSE:
            return books.book(parcel, key=key, refused=True)
        if behaviour.trait is Trait.CANCEL_FAIL:
            return books.book(parcel, key=key, test_token=parcel.address.line2)
        return self._misbehave(behaviour, parcel, key)

    @reaching_the_carrier()
    def cancel(self, tracking_number: str, *, key: str) -> Booking:
        booked = books.booked(tracking_number)
        behaviour = behaviour_of(booked.test_token)
        if behaviour and behaviour.fails(Trait.CANCEL_FAIL, books.count_call(key)):
            raise CarrierBroken("503")
        return books.cancel(booked, key=key)

    @reaching_the_carrier()
    def find(self, *, key: str, reference: str) -> Booking | None:
        books.let_arrive(now=self._now(), key=key)
        return books.find(key=key, reference=reference)

    @reaching_the_carrier()
    def look_up(self, tracking_number: str) -> Booking:
        return books.booking_of(tracking_number)

    def _misbehave(self, behaviour: Behaviour, parcel: Parcel, key: str) -> Booking:
        nth_call = books.count_call(key)
        if behaviour.fails(Trait.FAIL, nth_call):
            raise CarrierBroken("503")
        if nth_call > 1:
            return books.book(parcel, key=key)
        if behaviour.trait is Trait.ARRIVES_LATE:
            arrives_at = self._now() + timedelta(seconds=behaviour.number)
            books.expect_arrival(parcel, key=key, arrives_at=arrives_at)
        if behaviour.trait in (Trait.TIMEOUT_BEFORE, Trait.ARRIVES_LATE):
            raise self._timed_out()
        booking = books.book(parcel, key=key)
        if behaviour.trait is Trait.TIMEOUT_AFTER or behaviour.number > self._timeout.total_seconds():
            raise self._timed_out()
        self._sleep(behaviour.number)
        return booking

    def _timed_out(self) -> CarrierTimeout:
        self._sleep(self._timeout.total_seconds())
        return CarrierTimeout(f"no answer within {self._timeout}")
