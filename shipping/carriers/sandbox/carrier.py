"""The sandbox carrier as its clients see it: its core behind a simulated network that misbehaves on request."""

from functools import partial

from orchestration.participant.sandbox.client import SandboxClient, reaching
from shipping.carriers.port import Booking, CarrierBroken, CarrierDown, CarrierTimeout, Parcel
from shipping.carriers.sandbox import books
from shipping.carriers.sandbox.behaviour import TOKENS, Trait

reaching_the_carrier = partial(reaching, books.DATABASE, CarrierDown)


class SandboxCarrier(SandboxClient):
    """A `Carrier` that needs no network."""

    own_books = books.BOOKS
    tokens = TOKENS
    timed_out = CarrierTimeout
    broken = CarrierBroken

    @reaching_the_carrier()
    def book(self, parcel: Parcel, *, key: str) -> Booking:
        asked = books.booking_asked(parcel, key=key)
        behaviour = TOKENS.read(parcel.address.line2)
        if behaviour and behaviour.trait is Trait.REFUSE:
            asked.refused = True
        if behaviour and behaviour.trait in (Trait.CANCEL_FAIL, Trait.COLLECTED):
            asked.test_token = parcel.address.line2
        return self._write(asked, behaviour, books.book)

    @reaching_the_carrier()
    def cancel(self, tracking_number: str, *, key: str) -> Booking:
        booked = books.booked(tracking_number)
        self._fail_if_asked(booked.test_token, Trait.CANCEL_FAIL, key)
        return books.cancel(booked, key=key)

    @reaching_the_carrier()
    def find(self, *, key: str, reference: str) -> Booking | None:
        self._let_arrive(key)
        return books.find(key=key, reference=reference)

    @reaching_the_carrier()
    def look_up(self, tracking_number: str) -> Booking:
        return books.booking_of(tracking_number)
