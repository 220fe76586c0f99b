"""The money of a saga in a service's own books."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action


@dataclass(frozen=True)
class Money:
    """One saga's money, in minor units of an ISO 4217 currency.

    Each amount is the sum of all that was ever authorised, captured, voided or refunded; none is negative. `reference`
    is the gateway's id of the payment. `requested_minor` is the part of the refunds that the saga has asked the gateway
    for without an answer so far.
    """

    authorised_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    currency: str
    reference: str
    requested_minor: int = 0

    @property
    def held_minor(self) -> int:
        """The amount on hold now: authorised, neither captured nor voided."""
        return self.authorised_minor - self.captured_minor - self.voided_minor

    @property
    def kept_minor(self) -> int:
        """The amount captured and not refunded."""
        return self.captured_minor - self.refunded_minor


@dataclass(frozen=True)
class MoneyReader:
    """How to read the money of sagas, and which actions of the service hold it, take it and give it back.

    `of_sagas` returns the money of those sagas that have any. It reads the service's own database and makes no
    external call.
    """

    of_sagas: Callable[[Collection[UUID]], Mapping[UUID, Money]]
    holds: Action
    takes: Action
    gives_back: Action
