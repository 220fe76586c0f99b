"""The paths of real orders and their changes in the sweep, chosen by the sandbox's test tokens (docs/sandbox.md).

`place_order` refuses nothing today, so no real order can be refused there; the simulator's sweep has that path.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from orchestration.contracts.command import Action
from orchestration.contracts.order_changes import ChangeKind
from orchestration.participant.external import ExternalCommand
from orchestration.participant.participant import participant_of
from orchestration.sagas.checkout import checkout
from orders.api.change_start import SAGAS
from tests.support.shop import NOT_NEEDED

SKU, NEVER_THERE = "MUG-01", "NO-SUCH-MUG"
SOON = timedelta(seconds=1.5)
COMPLETED, COMPENSATED = frozenset({"completed"}), frozenset({"compensated"})
GIVEN_UP = COMPENSATED | COMPLETED
"""The pivot may be faster than the cancellation, the deadline or the patience for a lock."""

REFUSED = ("publish orchestration.step_refused", "decide StepRefused", "decide StepsUndone")
STOCK_BACK = ("publish inventory.release_stock", "commit inventory.release_stock", "ack inventory.release_stock")
FAILED = ("publish orchestration.step_failed", "decide StepFailed", "lease recovery", "decide Due")
MONEY_BACK = ("undoing payments.refund_payment", "call payments.refund_payment", "conclude payments.refund_payment")
PARCEL_BACK = ("undoing shipping.cancel_shipment", "call shipping.cancel_shipment", "conclude shipping.cancel_shipment")
DROPPED = ("publish orders.drop_change", "let_go orders.drop_change", "ack orders.drop_change", "decide StepsUndone")
WAITS = ("publish orchestration.step_waits", "decide StepWaits", "ack orchestration.step_waits")
BARRED = ("publish orders.bar", "commit orders.bar", "ack orders.bar", "decide PivotBarred", "decide StepsUndone")


@dataclass(frozen=True)
class Change:
    """A change of an order. In `parcel_number`, "{order}" is the id of the order's checkout."""

    kind: ChangeKind
    units: int = 0
    """0: all that are left."""
    amount_minor: int | None = None
    parcel_number: str = ""


@dataclass(frozen=True)
class Path:
    """The contents and the age of an order, whether it is cancelled, and the ends that it may reach.

    `marks` are failpoints that are crossed only on this path. With a `change`, the order was placed without faults, and
    the faults are those of its change.
    """

    name: str
    asked: Mapping[str, Any] = field(default_factory=dict, hash=False)
    ends: frozenset[str] = COMPLETED
    marks: tuple[str, ...] = ()
    age: timedelta = timedelta(0)
    is_cancelled: bool = False
    change: Change | None = None
    before: Change | None = None
    """An earlier change of the order, without faults: it has ended, unless the path `waits`."""
    waits: bool = False
    """Whether the earlier change is still under way, so that this one waits for the order's lock."""

    def is_taken(self, crossed: Collection[str], *, hands_over_locally: bool = False) -> bool:
        """Return whether these failpoints show this path. Where steps go on without messages, the
        marks of messages are ignored.
        """
        marks = {mark for mark in self.marks if not (hands_over_locally and mark.startswith(("publish", "ack")))}
        return marks <= set(crossed)


def _finishing() -> tuple[str, ...]:
    """Return the failpoints that every completed order crosses: each step's message and work, and the report."""
    needed = (step.action for step in checkout.steps if step.name not in NOT_NEEDED)
    return ("start checkout.v2", *_completing(*needed))


def _changing(kind: ChangeKind) -> tuple[str, ...]:
    """Return the failpoints that every completed change of this kind crosses."""
    saga = SAGAS[kind]
    return (f"start {saga.name}", *_completing(*(step.action for step in saga.steps)))


def _completing(*actions: Action) -> tuple[str, ...]:
    points = ["publish orchestration.chain_completed", "ack orchestration.chain_completed"]
    for action in actions:
        points += [f"{kind} {action.name}" for kind in ("publish", *_work(action), "ack")]
    return (*points, "decide ChainCompleted")


def _work(action: Action) -> tuple[str, ...]:
    if isinstance(participant_of(action.service).commands[action], ExternalCommand):
        return "claim", "call", "conclude"
    return ("grant" if action.holds else "let_go" if action.releases else "commit",)


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
    Path("dispatched", change=Change(ChangeKind.DISPATCH), marks=_changing(ChangeKind.DISPATCH)),
    Path("order cancelled", change=Change(ChangeKind.CANCEL), marks=_changing(ChangeKind.CANCEL)),
    Path(
        "refunded, gateway silent",
        {"payment_method": "tok_refund_timeout_after"},
        change=Change(ChangeKind.REFUND, amount_minor=40),
        marks=(*_changing(ChangeKind.REFUND), *FAILED, "find payments.give_back"),
    ),
    Path(
        "returned",
        change=Change(ChangeKind.RETURN),
        before=Change(ChangeKind.DISPATCH),
        marks=_changing(ChangeKind.RETURN),
    ),
    Path(
        "parcel refused",
        {"basket": ((SKU, 2),)},
        COMPENSATED,
        change=Change(ChangeKind.DISPATCH, parcel_number="P-{order}"),
        before=Change(ChangeKind.DISPATCH, units=1, parcel_number="P-{order}"),
        marks=REFUSED + DROPPED,
    ),
    Path(
        "waits for another change",
        {"payment_method": "tok_refund_fail_1"},
        GIVEN_UP,
        change=Change(ChangeKind.REFUND, amount_minor=40),
        before=Change(ChangeKind.REFUND, amount_minor=40),
        waits=True,
        marks=(*WAITS, *_changing(ChangeKind.REFUND)),
    ),
)
