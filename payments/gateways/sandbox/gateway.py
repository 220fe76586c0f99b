"""The sandbox gateway as its clients see it: its books behind a network that misbehaves when a test token says so."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from payments.gateways.port import (
    AuthorisationRequest,
    CardDeclined,
    GatewayBroken,
    GatewayDown,
    GatewayPayment,
    GatewayTimeout,
    InsufficientFunds,
    UnknownPaymentMethod,
)
from payments.gateways.sandbox import books
from payments.gateways.sandbox.behaviour import Behaviour, NotATestToken, Trait, behaviour_of

_DECLINES = {Trait.DECLINED: CardDeclined.code, Trait.INSUFFICIENT_FUNDS: InsufficientFunds.code}
_ABOUT_LATER_CALLS = (Trait.CAPTURE_FAIL, Trait.CAPTURE_DECLINED, Trait.VOID_FAIL)


@contextmanager
def reaching_the_gateway() -> Iterator[None]:
    """Show a lost database as what it would be to a client: a gateway that is down."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        connections[books.DATABASE].close()
        raise GatewayDown(str(error)) from error


class SandboxGateway:
    """A `Gateway` that needs no network. `sleep` and `now` are its clock; it gives up waiting after `timeout`."""

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

    @reaching_the_gateway()
    def authorise(self, request: AuthorisationRequest, *, key: str) -> GatewayPayment:
        try:
            behaviour = behaviour_of(request.payment_method)
        except NotATestToken:
            return books.authorise(request, key=key, decline_code=UnknownPaymentMethod.code)
        if behaviour.trait is Trait.OK:
            return books.authorise(request, key=key)
        if decline_code := _DECLINES.get(behaviour.trait):
            return books.authorise(request, key=key, decline_code=decline_code)
        if behaviour.trait in _ABOUT_LATER_CALLS:
            return books.authorise(request, key=key, test_token=request.payment_method)
        return self._misbehave(behaviour, request, key)

    @reaching_the_gateway()
    def capture(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayPayment:
        authorisation = books.authorisation(authorisation_id)
        _fail_if_told(authorisation.test_token, Trait.CAPTURE_FAIL, key)
        if authorisation.test_token and behaviour_of(authorisation.test_token).trait is Trait.CAPTURE_DECLINED:
            raise CardDeclined
        return books.capture(authorisation, amount_minor=amount_minor, key=key)

    @reaching_the_gateway()
    def void(self, authorisation_id: str, *, key: str) -> GatewayPayment:
        authorisation = books.authorisation(authorisation_id)
        _fail_if_told(authorisation.test_token, Trait.VOID_FAIL, key)
        return books.void(authorisation, key=key)

    @reaching_the_gateway()
    def refund(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayPayment:
        return books.refund(books.authorisation(authorisation_id), amount_minor=amount_minor, key=key)

    @reaching_the_gateway()
    def find(self, *, key: str, reference: str) -> GatewayPayment | None:
        books.let_arrive(now=self._now(), key=key)
        return books.find(key=key, reference=reference)

    @reaching_the_gateway()
    def look_up(self, authorisation_id: str) -> GatewayPayment:
        return books.payment_of(authorisation_id)

    def _misbehave(self, behaviour: Behaviour, request: AuthorisationRequest, key: str) -> GatewayPayment:
        nth_call = books.count_call(key)
        if behaviour.fails(Trait.FAIL, nth_call):
            raise GatewayBroken("503")
        if nth_call > 1:
            return books.authorise(request, key=key)
        if behaviour.trait is Trait.ARRIVES_LATE:
            arrives_at = self._now() + timedelta(seconds=behaviour.number)
            books.expect_arrival(request, key=key, arrives_at=arrives_at)
        if behaviour.trait in (Trait.TIMEOUT_BEFORE, Trait.ARRIVES_LATE):
            raise self._timed_out()
        payment = books.authorise(request, key=key)
        if behaviour.trait is Trait.TIMEOUT_AFTER or behaviour.number > self._timeout.total_seconds():
            raise self._timed_out()
        self._sleep(behaviour.number)
        return payment

    def _timed_out(self) -> GatewayTimeout:
        self._sleep(self._timeout.total_seconds())
        return GatewayTimeout(f"no answer within {self._timeout}")


def _fail_if_told(test_token: str, trait: Trait, key: str) -> None:
    if test_token and behaviour_of(test_token).fails(trait, books.count_call(key)):
        raise GatewayBroken("503")
