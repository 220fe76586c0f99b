"""What a service that moves money can be asked: how one saga's money stands, in its own books."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.command import Action


@dataclass(frozen=True)
class Money:
    """One saga's money, in minor units of an ISO 4217 currency.

    All amounts are sums of what was ever authorised, captured, voided or refunded; none is negative. `reference` is
    what the other side knows it by.
    """

    authorised_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    currency: str
    reference: str

    @property
    def held_minor(self) -> int:
        """On hold at this moment: neither taken nor let go."""
        return self.authorised_minor - self.captured_minor - self.voided_minor

    @property
    def kept_minor(self) -> int:
        """Taken and not given back."""
        return self.captured_minor - self.refunded_minor


@dataclass(frozen=True)
class MoneyReader:
    """How to read it, and which of the service's actions move it: `holds` puts on hold, `takes` takes what is held.

    `of_sagas` gives it for those of the sagas that have any; it reads the service's own database and calls nobody.
    """

    of_sagas: Callable[[Collection[UUID]], Mapping[UUID, Money]]
    holds: Action
    takes: Action
