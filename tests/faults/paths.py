"""The paths of real orders in the sweep, chosen by the sandbox's test tokens (docs/sandbox.md).

`place_order` refuses nothing today, so no real order can be refused there; the simulator's sweep has that path.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestration.sagas.checkout import checkout

SKU, NEVER_THERE = "MUG-01", "NO-SUCH-MUG"
SOON = timedelta(seconds=1.5)
COMPLETED, COMPENSATED = frozenset({"completed"}), frozenset({"compensated"})
GIVEN_UP = COMPENSATED | COMPLETED
"""The pivot may be faster than the cancellation or the deadline."""

REFUSED = ("publish orchestration.step_refused", "decide StepRefused", "decide StepsUndone")
STOCK_BACK = ("publish inventory.release_stock", "commit inventory.release_stock", "ack inventory.release_stock")
FAILED = ("publish orchestration.step_failed", "decide StepFailed", "lease recovery", "decide Due")
MONEY_BACK = ("undoing payments.refund_payment", "call payments.refund_payment", "conclude payments.refund_payment")
PARCEL_BACK = ("undoing shipping.cancel_shipment", "call shipping.cancel_shipment", "conclude shipping.cancel_shipment")
BARRED = ("publish orders.bar", "commit orders.bar", "ack orders.bar", "decide PivotBarred", "decide StepsUndone")


@dataclass(frozen=True)
class Path:
    """The contents and the age of an order, whether it is cancelled, and the ends that it may reach.

    `marks` are failpoints that are crossed only on this path.
    """

    name: str
    asked: Mapping[str, Any] = field(default_factory=dict, hash=False)
    ends: frozenset[str] = COMPLETED
    marks: tuple[str, ...] = ()
    age: timedelta = timedelta(0)
    is_cancelled: bool = False

    def is_taken(self, crossed: Collection[str], *, hands_over_locally: bool = False) -> bool:
        """Return whether these failpoints show this path. Where steps go on without messages, the
        marks of messages are ignored.
        """
        marks = {mark for mark in self.marks if not (hands_over_locally and mark.startswith(("publish", "ack")))}
        return marks <= set(crossed)


def _finishing() -> tuple[str, ...]:
    """Return the failpoints that every completed order crosses: each step's message and work, and the report."""
    points = ["start checkout.v1", "publish orchestration.chain_completed", "ack orchestration.chain_completed"]
    for step in checkout.steps:
        name = step.action.name
        outside = step.action.service in ("payments", "shipping")
        work = ("claim", "call", "conclude") if outside else ("commit",)
        points += [f"{kind} {name}" for kind in ("publish", *work, "ack")]
    return (*points, "decide ChainCompleted")


PATHS = (
    Path("completed", marks=_finishing()),
    Path("stock refused", {"basket": ((NEVER_THERE, 1),)}, COMPENSATED, REFUSED),
    Path("card declined", {"payment_method": "tok_declined"}, COMPENSATED, REFUSED + STOCK_BACK),
    Path("shipment refused", {"line2": "carrier_refuse"}, COMPENSATED, REFUSED + STOCK_BACK + MONEY_BACK),
    Path(
        "void fails once",
        {"line2": "carrier_refuse", "payment_method": "tok_void_fail_1"},
        COMPENSATED,
        (*REFUSED, *FAILED, *STOCK_BACK, *MONEY_BACK, "find payments.refund_payment"),
    ),
    Path(
        "gateway silent, money held",
        {"payment_method": "tok_timeout_after"},
        marks=(*_finishing(), *FAILED, "find payments.authorise_payment"),
    ),
    Path(
        "gateway silent, no money held",
        {"payment_method": "tok_timeout_before"},
        marks=(*_finishing(), *FAILED, "find payments.authorise_payment"),
    ),
    Path(
        "carrier silent",
        {"line2": "carrier_timeout_after"},
        marks=(*FAILED, "find shipping.schedule_shipment", "decide ChainCompleted"),
    ),
    Path(
        "capture fails once",
        {"payment_method": "tok_capture_fail_1"},
        marks=(*_finishing(), *FAILED, "find payments.capture_payment"),
    ),
    Path(
        "cancelled",  # while the money is held and the carrier fails
        {"line2": "carrier_fail_2"},
        GIVEN_UP,
        ("decide CancelRequested", *BARRED, *STOCK_BACK, *MONEY_BACK, *PARCEL_BACK),
        is_cancelled=True,
    ),
    Path(
        "deadline passed",  # while the gateway fails
        {"payment_method": "tok_fail_2"},
        GIVEN_UP,
        ("decide DeadlinePassed", *BARRED, *STOCK_BACK, *MONEY_BACK),
        age=checkout.deadline - SOON,
    ),
)
