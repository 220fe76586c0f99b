"""Facts about each saga that services, gateways and carriers give to an audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class StepEffect(StrEnum):
    """What a step has brought about."""

    NONE = "no effect"
    LIVE = "an effect"
    REVERSED = "an effect that was reversed"
    MIXED = "an effect that was partly reversed"


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking one object against an invariant.

    `faults` are sentences that say how the invariant is violated. `ids` identify the object, by kind of id, such as
    "saga" or "sku".
    """

    invariant: str
    faults: tuple[str, ...]
    ids: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class HoldingFacts:
    """Units by SKU that one checkout has reserved, and what is wrong with their movements.

    They are held (`live`), `consumed`, `released` by its compensation, or `cancelled`: released by a change of the
    order. `changes` are the sagas that moved any of them.
    """

    live: Mapping[str, int]
    released: Mapping[str, int]
    faults: tuple[str, ...]
    consumed: Mapping[str, int]
    cancelled: Mapping[str, int]
    changes: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class MovedUnits:
    """Units that one change of an order has moved, by kind of movement."""

    by_kind: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """One placed order; `lines_minor` is the sum of its lines, None when it has none.

    `total_minor` is that sum less `discount_minor`. Store credit paid `credit_minor` of it. `refunded_minor` is the
    money that closed changes gave back. `change_faults` say how the order disagrees with its changes, by invariant.
    `changes` are the sagas of all of its changes, also of those dropped.
    """

    id: UUID
    customer_id: str
    idempotency_key: str
    total_minor: int
    currency: str
    authorisation_id: str
    tracking_number: str
    lines_minor: int | None
    status: str = "confirmed"
    discount_minor: int = 0
    credit_minor: int = 0
    refunded_minor: int = 0
    change_faults: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changes: frozenset[UUID] = frozenset()

    @property
    def is_cancelled(self) -> bool:
        return self.status == "cancelled"


@dataclass(frozen=True, slots=True)
class ChangeFacts:
    """One change of an order, in the database of orders."""

    order_id: UUID
    kind: str
    state: str

    @property
    def is_open(self) -> bool:
        """Whether it has the order's lock."""
        return self.state == "open"


@dataclass(frozen=True, slots=True)
class CouponFacts:
    """One saga's use of a coupon. `was_returned`: its checkout was undone."""

    order_id: UUID
    coupon: str
    was_returned: bool


@dataclass(frozen=True, slots=True)
class CreditFacts:
    """The part of one saga's order that store credit paid. `was_returned`: its checkout was undone."""

    order_id: UUID
    currency: str
    amount_minor: int
    refunded_minor: int
    was_returned: bool


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """A part of a payment that a step of the saga `saga_id` gives back; `status` is that of the refund."""

    saga_id: UUID
    step: str
    amount_minor: int
    status: str
    gateway_id: str | None
    destination: str = "card"


@dataclass(frozen=True, slots=True)
class MoneyBackFacts:
    """The money that one change of an order gives back; `credited_minor` of it goes to store credit."""

    is_requested: bool
    credited_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """One saga's payment. `is_reversed`: the saga or a repair has voided or refunded it, also after it `was_captured`.

    Refunds by changes of the order are in `refunded_minor` and `refunds`, and reverse nothing. `failed_minor` is the
    sum of refunds that failed. `is_at_the_gateway` is False for a free order, which the gateway does not know.
    """

    order_id: UUID
    status: str
    currency: str
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    authorisation_id: str
    capture_id: str | None
    is_reversed: bool
    is_at_the_gateway: bool
    failed_minor: int = 0
    refunds: tuple[RefundFacts, ...] = ()

    @property
    def was_captured(self) -> bool:
        return self.capture_id is not None


@dataclass(frozen=True, slots=True)
class ShipmentFacts:
    """One checkout's parcel in the database of shipping; `is_live`: it was neither stopped nor cancelled.

    `stopped_by` is the change that stopped it.
    """

    order_id: UUID
    status: str
    tracking_number: str
    is_live: bool
    stopped_by: UUID | None


@dataclass(frozen=True, slots=True)
class DispatchFacts:
    """One dispatch in the database of shipping."""

    order_id: UUID


class ExternalRecord(Protocol):
    """A record that a gateway or carrier made for an order under idempotency keys; `reference` is the order's id."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Every idempotency key used on the record; the first key created it."""

    @property
    def reference(self) -> str: ...


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """One authorisation at the gateway and what was done with it; `status` has the values of `PaymentFacts.status`.

    If it has not `arrived`, the gateway will receive the call later.
    """

    authorisation_id: str
    keys: tuple[str, ...]
    reference: str
    status: str
    currency: str
    amount_minor: int
    declined: bool = False
    captured_minor: int = 0
    refunded_minor: int = 0
    voided: bool = False
    capture_id: str | None = None
    arrived: bool = True

    @property
    def is_open(self) -> bool:
        """Whether money is on hold, or will be when the call arrives."""
        return not (self.declined or self.voided or self.capture_id)

    @property
    def net_minor(self) -> int:
        return self.captured_minor - self.refunded_minor


@dataclass(frozen=True, slots=True)
class CarrierParcel:
    """One booking at the carrier and its state. Without a tracking number, the carrier will receive the call later."""

    tracking_number: str
    keys: tuple[str, ...]
    reference: str
    refused: bool = False
    cancelled: bool = False

    @property
    def is_live(self) -> bool:
        """Whether the carrier will deliver the parcel."""
        return not (self.refused or self.cancelled)
