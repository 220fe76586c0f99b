"""The interface that shipping needs of any carrier."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from orchestration.contracts.values import Address, Line
from orchestration.participant.refusals import PermanentFailure, Refusal


class CarrierTimeout(Exception):
    """No answer in time: it may have been done, or may still be."""


class CarrierDown(Exception):
    """The carrier could not be reached."""


class CarrierBroken(Exception):
    """The carrier answered with a 5xx, or with something unreadable."""


class CarrierBusy(Exception):
    """Another call under the same key is still running."""


class KeyReused(PermanentFailure):
    """The key was used before, with other parameters."""


class NotPossible(PermanentFailure):
    """The booking is not in a state that allows this, or does not exist."""


OUTAGES = (CarrierTimeout, CarrierDown, CarrierBroken)
"""The errors that indicate the health of the carrier, not of one parcel."""


class CannotDeliver(Refusal):
    """The carrier does not deliver to this address."""

    code = "cannot_deliver"


class BookingStatus(StrEnum):
    BOOKED = "booked"
    COLLECTED = "collected"
    """The carrier has the parcel and carries it, so that it cannot be cancelled."""
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Parcel:
    """What to carry and where. `reference` is our order's id."""

    reference: str
    lines: tuple[Line, ...]
    address: Address


@dataclass(frozen=True)
class Booking:
    """A booked parcel as the carrier sees it."""

    tracking_number: str
    status: BookingStatus


class Carrier(Protocol):
    """A carrier. Every method may raise one of `OUTAGES`; each write also `CarrierBusy` or `KeyReused`.

    A write repeated under its key has no further effect and returns the first answer.
    """

    key_lifetime: timedelta | None
    """How long the carrier remembers a key."""

    def book(self, parcel: Parcel, *, key: str) -> Booking:
        """Book the parcel.

        :raises CannotDeliver: a final answer; the same key is refused in the same way.
        """

    def cancel(self, tracking_number: str, *, key: str) -> Booking:
        """Cancel a booking.

        :raises NotPossible: when it was cancelled under another key, or was collected.
        """

    def find(self, *, key: str, reference: str) -> Booking | None:
        """Read the booking made under `key`. Return None when none has arrived yet.

        :raises CannotDeliver: when the booking was refused.
        """

    def look_up(self, tracking_number: str) -> Booking:
        """Read a booking by its tracking number.

        :raises NotPossible: when there is no such booking.
        """
