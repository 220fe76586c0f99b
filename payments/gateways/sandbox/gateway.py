"""The sandbox gateway as its clients see it: its core behind a simulated network that misbehaves on request."""

from datetime import timedelta
from enum import StrEnum
from functools import partial

from orchestration.participant.sandbox.client import SandboxClient, reaching
from orchestration.participant.sandbox.tokens import Behaviour, NetworkFault
from payments.gateways.port import (
    AuthorisationRequest,
    CardDeclined,
    GatewayBroken,
    GatewayDown,
    GatewayPayment,
    GatewayRefund,
    GatewayTimeout,
    InsufficientFunds,
    NotPossible,
    UnknownPaymentMethod,
)
from payments.gateways.sandbox import books
from payments.gateways.sandbox.behaviour import TOKENS, Trait

_DECLINES: dict[StrEnum, str] = {Trait.DECLINED: CardDeclined.code, Trait.INSUFFICIENT_FUNDS: InsufficientFunds.code}
_ABOUT_THIS_CALL = (Trait.OK, *_DECLINES)
_REFUND_FAULTS: dict[StrEnum, NetworkFault] = {
    Trait.REFUND_FAIL: NetworkFault.FAIL,
    Trait.REFUND_TIMEOUT_BEFORE: NetworkFault.TIMEOUT_BEFORE,
    Trait.REFUND_TIMEOUT_AFTER: NetworkFault.TIMEOUT_AFTER,
}
_PENDING = (Trait.REFUND_PENDING, Trait.REFUND_PENDING_FAILS)
_FAILING = (Trait.REFUND_FAILS_LATE, Trait.REFUND_PENDING_FAILS)

reaching_the_gateway = partial(reaching, books.DATABASE, GatewayDown)


class SandboxGateway(SandboxClient):
    """A `Gateway` that needs no network."""

    own_books = books.BOOKS
    tokens = TOKENS
    timed_out = GatewayTimeout
    broken = GatewayBroken

    @reaching_the_gateway()
    def authorise(self, request: AuthorisationRequest, *, key: str) -> GatewayPayment:
        asked = books.authorisation_asked(request, key=key)
        behaviour = TOKENS.read(request.payment_method)
        if behaviour is None:
            asked.decline_code = UnknownPaymentMethod.code
        elif behaviour.trait in _DECLINES:
            asked.decline_code = _DECLINES[behaviour.trait]
        elif isinstance(behaviour.trait, Trait) and behaviour.trait not in _ABOUT_THIS_CALL:
            asked.test_token = request.payment_method
        return self._write(asked, behaviour, books.authorise)

    @reaching_the_gateway()
    def capture(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayPayment:
        authorisation = books.authorisation(authorisation_id)
        self._fail_if_asked(authorisation.test_token, Trait.CAPTURE_FAIL, key)
        if (behaviour := TOKENS.read(authorisation.test_token)) and behaviour.trait is Trait.CAPTURE_DECLINED:
            raise CardDeclined
        return books.capture(authorisation, amount_minor=amount_minor, key=key)

    @reaching_the_gateway()
    def void(self, authorisation_id: str, *, key: str) -> GatewayPayment:
        authorisation = books.authorisation(authorisation_id)
        self._fail_if_asked(authorisation.test_token, Trait.VOID_FAIL, key)
        return books.void(authorisation, key=key)

    @reaching_the_gateway()
    def refund(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayRefund:
        authorisation = books.authorisation(authorisation_id)
        asked = books.refund_asked(authorisation, amount_minor=amount_minor, key=key)
        book = partial(books.refund, now=self._now())
        behaviour = TOKENS.read(authorisation.test_token)
        if behaviour is None:
            return book(asked)
        if behaviour.trait is Trait.REFUND_REFUSED:
            raise NotPossible(f"{authorisation_id} cannot be refunded")
        later = self._now() + timedelta(seconds=behaviour.number)
        asked.pending_until = later if behaviour.trait in _PENDING else None
        asked.fails_at = later if behaviour.trait in _FAILING else None
        fault = _REFUND_FAULTS.get(behaviour.trait)
        return self._write(asked, Behaviour(fault, behaviour.number) if fault else None, book)

    @reaching_the_gateway()
    def find(self, *, key: str, reference: str) -> GatewayPayment | None:
        self._let_arrive(key)
        return books.find(key=key, reference=reference, now=self._now())

    @reaching_the_gateway()
    def look_up(self, authorisation_id: str) -> GatewayPayment:
        return books.payment_of(authorisation_id, now=self._now())
