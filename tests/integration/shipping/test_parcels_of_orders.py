"""Parcels of placed orders are handed over, or stopped and cancelled, each change with its effect once."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from orchestration.contracts.codec import Malformed, decode
from orchestration.contracts.command import Action
from orchestration.contracts.shipping import CancelParcel, cancel_parcel, hand_over, schedule_shipment, stop_parcel
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Barred, Done, Outcome, Refused
from orchestration.participant.participant import Participant
from orchestration.testing import step_runner
from shipping import order_changes, tasks
from shipping.carriers.port import CarrierBroken, NotPossible
from shipping.carriers.sandbox.carrier import SandboxCarrier
from shipping.carriers.sandbox.models import Kind, Operation
from shipping.models import Dispatch, Ledger, Shipment
from shipping.selectors import found_by_tracking_number
from shipping.services import Cancellation
from tests.support.external import external_commands
from tests.support.threads import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["shipping", "carrier"]),
    pytest.mark.usefixtures("at_the_carrier"),
]

LOCAL: Mapping[str, Action] = {each.step: each for each in (hand_over, stop_parcel)}
ACTIONS = {**LOCAL, cancel_parcel.step: cancel_parcel}


@pytest.fixture(autouse=True)
def participant(at_the_carrier: SandboxCarrier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Participant]:
    """Shipping, with a breaker that no other test opens."""
    monkeypatch.setattr(order_changes, "carrier", lambda: at_the_carrier)
    works = external_commands(tasks.participant)
    [counts] = {work.breaker.counts for work in works.values()}
    breaker = Breaker(f"test.{uuid4().hex}", redis=lambda: connect(settings.REDIS_URL), counts=counts)
    commands = {contract: replace(work, breaker=breaker) for contract, work in works.items()}
    yield replace(tasks.participant, commands={**tasks.participant.commands, **commands})
    breaker.close()


@dataclass
class PlacedOrder:
    """A placed order. Each change of it has a saga and a fence of its own."""

    participant: Participant
    line2: str = ""
    checkout_id: UUID = field(default_factory=uuid4)
    order_id: UUID = field(default_factory=uuid4)
    fence: int = 0

    def booked(self) -> "PlacedOrder":
        """Book its parcel, as its checkout does."""
        address = {"name": "Ada", "line1": "1 Mill Lane", "city": "Leeds", "postcode": "LS1 4AP", "country": "GB"}
        known = {
            "saga_id": str(self.checkout_id),
            "order_id": str(self.order_id),
            "lines": [{"sku": "MUG", "quantity": 2, "unit_price_minor": 999}],
            "shipping_address": address | {"line2": self.line2},
        }
        step_runner.act(self.participant, schedule_shipment, [Call(self.checkout_id, "schedule_shipment", 1, known)])
        return self

    def call(self, step: str, *, units: int = 2, parcel_number: str = "") -> Call:
        """Return the message of one change."""
        self.fence += 1
        saga_id = uuid4()
        known: dict[str, Any] = {
            "saga_id": str(saga_id),
            "order_id": str(self.order_id),
            "order_fence": self.fence,
            "checkout_id": str(self.checkout_id),
            "change_lines": [{"sku": "MUG", "quantity": units}],
            "parcel_number": parcel_number,
        }
        return Call(saga_id, step, token=1, known=known)

    def change(self, step: str, **asked: Any) -> Outcome:
        """Make a change, and return its outcome."""
        return self.act(self.call(step, **asked))

    def act(self, call: Call) -> Outcome:
        [outcome] = step_runner.act(self.participant, ACTIONS[call.step], [call])
        return outcome

    @property
    def parcel(self) -> Shipment:
        return Shipment.objects.get(saga_id=self.checkout_id)

    def dispatched(self) -> list[tuple[str, bool, int]]:
        """(number, whether it is the booked parcel, units) of each dispatch."""
        rows = Dispatch.objects.filter(checkout_id=self.checkout_id).order_by("handed_over_at")
        return [(row.tracking_number, row.is_booked, row.lines[0]["quantity"]) for row in rows]


@pytest.fixture
def placed(participant: Participant) -> PlacedOrder:
    return PlacedOrder(participant).booked()


def code(outcome: Outcome) -> str:
    assert isinstance(outcome, Refused)
    return str(outcome.refusal["code"])


def kinds() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def test_the_booked_parcel_is_handed_over(placed: PlacedOrder) -> None:
    number = placed.parcel.tracking_number
    assert placed.change("hand_over") == Done({})
    assert (placed.parcel.status, placed.parcel.stopped_by) == ("handed_over", None)
    assert placed.dispatched() == [(number, True, 2)]


def test_parts_of_a_line_go_in_the_booked_parcel_and_in_others(placed: PlacedOrder) -> None:
    number = placed.parcel.tracking_number
    placed.change("hand_over", units=1)
    placed.change("hand_over", units=3, parcel_number="OTHER-1")
    placed.change("hand_over", units=4)
    placed.change("hand_over", units=5, parcel_number=number)
    assert placed.dispatched() == [(number, True, 1), ("OTHER-1", False, 3), (number, True, 4), (number, True, 5)]
    assert placed.parcel.status == "handed_over"


def test_a_parcel_is_found_by_its_number_with_the_changes_that_handed_it_over(placed: PlacedOrder) -> None:
    number, first, other = placed.parcel.tracking_number, placed.call("hand_over"), placed.call("hand_over")
    other.known["parcel_number"] = "OTHER-1"
    for call in (first, other):
        placed.act(call)
    assert found_by_tracking_number(number).saga_ids == {placed.checkout_id, first.saga_id}
    assert found_by_tracking_number("OTHER-1").saga_ids == {other.saga_id}


def test_a_parcel_number_belongs_to_one_parcel(placed: PlacedOrder, participant: Participant) -> None:
    other = PlacedOrder(participant).booked()
    placed.change("hand_over", parcel_number="OTHER-1")
    for taken in ("OTHER-1", placed.parcel.tracking_number):
        refused = other.change("hand_over", parcel_number=taken)
        assert code(refused) == "parcel_number_taken"
        assert isinstance(refused, Refused)
        assert refused.refusal["facts"] == {"parcel_number": taken}
    assert code(placed.change("hand_over", parcel_number="OTHER-1")) == "parcel_number_taken"
    assert (other.parcel.status, other.dispatched()) == ("booked", [])


def test_one_number_in_two_threads_is_given_to_one_parcel(placed: PlacedOrder, participant: Participant) -> None:
    orders = [placed, PlacedOrder(participant).booked()]
    ended = at_once(2, lambda number: orders[number].change("hand_over", parcel_number="OTHER-1"))
    assert sorted(type(each).__name__ for each in ended) == ["Done", "Refused"]
    assert Dispatch.objects.get().tracking_number == "OTHER-1"


def test_an_order_without_a_parcel_needs_the_number_of_one(participant: Participant) -> None:
    placed = PlacedOrder(participant)
    assert code(placed.change("hand_over")) == "no_parcel"
    assert placed.change("hand_over", parcel_number="OTHER-1") == Done({})
    assert placed.dispatched() == [("OTHER-1", False, 2)]
    assert code(placed.change("stop_parcel")) == "already_handed_over"


def test_a_stopped_parcel_is_not_handed_over(placed: PlacedOrder) -> None:
    call = placed.call("stop_parcel")
    assert placed.act(call) == Done({})
    assert (placed.parcel.status, placed.parcel.stopped_by) == ("stopped", call.saga_id)
    for number in ("", "OTHER-1"):
        assert code(placed.change("hand_over", parcel_number=number)) == "parcel_stopped"
    placed.change("cancel_parcel")
    assert code(placed.change("hand_over")) == "parcel_stopped"
    assert placed.dispatched() == []


@pytest.mark.parametrize("parcel_number", ["", "OTHER-1"])
def test_a_parcel_that_was_handed_over_is_not_stopped(placed: PlacedOrder, parcel_number: str) -> None:
    placed.change("hand_over", units=1, parcel_number=parcel_number)
    assert code(placed.change("stop_parcel")) == "already_handed_over"
    assert (placed.parcel.status, placed.parcel.stopped_by) == ("handed_over", None)


def test_an_order_without_a_parcel_has_nothing_to_stop_or_to_cancel(participant: Participant) -> None:
    placed = PlacedOrder(participant)
    assert placed.change("stop_parcel") == placed.change("cancel_parcel") == Done({})
    assert kinds() == []
    assert not Shipment.objects.exists()


def test_a_parcel_is_stopped_once(placed: PlacedOrder) -> None:
    first = placed.call("stop_parcel")
    placed.act(first)
    assert placed.change("stop_parcel") == Done({})
    assert placed.parcel.stopped_by == first.saga_id


def test_a_stopped_parcel_is_cancelled_at_the_carrier(placed: PlacedOrder, carrier: SandboxCarrier) -> None:
    stopping = placed.call("stop_parcel")
    placed.act(stopping)
    assert placed.change("cancel_parcel") == Done({})
    assert (placed.parcel.status, placed.parcel.stopped_by) == ("cancelled", stopping.saga_id)
    assert carrier.look_up(placed.parcel.tracking_number).status == "cancelled"


def test_a_cancellation_repeated_or_repeated_by_another_change_cancels_once(placed: PlacedOrder) -> None:
    placed.change("stop_parcel")
    call = placed.call("cancel_parcel")
    assert placed.act(call) == placed.act(call) == placed.change("cancel_parcel") == Done({})
    assert kinds() == [Kind.BOOK, Kind.CANCEL]


def test_a_cancellation_fails_until_the_carrier_recovers(participant: Participant) -> None:
    placed = PlacedOrder(participant, "carrier_cancel_fail_1").booked()
    placed.change("stop_parcel")
    call = placed.call("cancel_parcel")
    with pytest.raises(CarrierBroken):
        placed.act(call)
    assert placed.parcel.status == "stopped"
    assert placed.act(call) == Done({})
    assert placed.parcel.status == "cancelled"


def test_a_cancellation_whose_end_was_not_recorded_is_found_and_not_repeated(
    placed: PlacedOrder, participant: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed.change("stop_parcel")
    call = placed.call("cancel_parcel")
    with monkeypatch.context() as crash:
        crash.setattr(Shipment.objects.__class__, "store_state", _crash)
        with pytest.raises(ZeroDivisionError):
            placed.act(call)
    assert (placed.parcel.status, Ledger.objects.get(saga_id=call.saga_id).status) == ("stopped", Status.STARTED)
    assert placed.act(call) == Done({})
    assert (placed.parcel.status, kinds()) == ("cancelled", [Kind.BOOK, Kind.CANCEL])


def _crash(*_: object) -> None:
    raise ZeroDivisionError


def test_a_collected_parcel_cannot_be_cancelled_and_stays_stopped(participant: Participant) -> None:
    placed = PlacedOrder(participant, "carrier_collected").booked()
    assert placed.parcel.status == "booked"
    placed.change("stop_parcel")
    call = placed.call("cancel_parcel")
    for _ in range(2):
        with pytest.raises(NotPossible, match="was collected"):
            placed.act(call)
    assert placed.parcel.status == "stopped"
    assert Ledger.objects.get(saga_id=call.saga_id).status == Status.STARTED


def test_an_operator_reports_that_the_carrier_has_cancelled(placed: PlacedOrder) -> None:
    work = tasks.participant.commands[cancel_parcel]
    assert isinstance(work, order_changes.ParcelCancellation)
    request: CancelParcel = decode(CancelParcel, placed.call("cancel_parcel").known)
    with pytest.raises(Malformed, match="status is not cancelled"):
        work.reported(request, order_changes.ReportedParcel("gone"))
    reply = work.reported(request, order_changes.ReportedParcel("cancelled"))
    assert isinstance(reply, Cancellation)
    assert reply.booking
    assert reply.booking.tracking_number == placed.parcel.tracking_number
    with pytest.raises(Malformed, match="no parcel was booked"):
        work.reported(replace(request, checkout_id=uuid4()), order_changes.ReportedParcel("cancelled"))


@pytest.mark.parametrize("step", ACTIONS)
def test_a_change_repeated_has_its_effect_once(placed: PlacedOrder, step: str) -> None:
    call = placed.call(step)
    assert placed.act(call) == placed.act(call) == Done({})
    assert len(placed.dispatched()) == (step == "hand_over")


@pytest.mark.parametrize("step", LOCAL)
def test_a_refusal_of_a_change_is_repeated_word_for_word(placed: PlacedOrder, step: str) -> None:
    placed.change("stop_parcel" if step == "hand_over" else "hand_over")
    call = placed.call(step)
    first = placed.act(call)
    assert isinstance(first, Refused)
    assert placed.act(call) == first


@pytest.mark.parametrize("step", LOCAL)
def test_a_barred_change_does_nothing(placed: PlacedOrder, participant: Participant, step: str) -> None:
    call = placed.call(step)
    assert step_runner.bar(participant, [call]) == [True]
    assert placed.act(call) == Barred()
    assert (placed.parcel.status, placed.dispatched()) == ("booked", [])


@pytest.mark.parametrize("step", LOCAL)
def test_a_crash_of_a_change_leaves_neither_effect_nor_row(
    placed: PlacedOrder, participant: Participant, step: str
) -> None:
    call = placed.call(step)
    work: Any = participant.commands[LOCAL[step]]

    def then_crash(request: object) -> None:
        work(request)
        raise ZeroDivisionError

    crashing = replace(participant, commands={LOCAL[step]: then_crash})
    with pytest.raises(ZeroDivisionError):
        step_runner.act(crashing, LOCAL[step], [call])
    assert (placed.parcel.status, placed.dispatched()) == ("booked", [])
    assert not Ledger.objects.filter(saga_id=call.saga_id).exists()
    assert placed.act(call) == Done({})


@pytest.mark.parametrize("step", ACTIONS)
def test_one_change_in_two_threads_has_its_effect_once(placed: PlacedOrder, step: str) -> None:
    if step == "cancel_parcel":
        placed.change("stop_parcel")
    call = placed.call(step)
    assert at_once(2, lambda _: placed.act(call)) == [Done({})] * 2
    assert len(placed.dispatched()) == (step == "hand_over")


@pytest.mark.parametrize("round_", range(20))
def test_of_a_cancellation_and_a_dispatch_at_once_one_wins(placed: PlacedOrder, round_: int) -> None:
    """Also without the kit, whose check of the fence lets one change of an order wait for the other."""
    steps: dict[Action, Any] = {hand_over: order_changes.hand_over, stop_parcel: order_changes.stop_parcel}
    chosen = random.Random(round_).sample([*steps], 2)
    asked: list[tuple[Action, Any]] = [(step, decode(step.request, placed.call(step.step).known)) for step in chosen]

    def change(number: int) -> None:
        step, request = asked[number]
        with transaction.atomic(using="shipping"):
            steps[step](request)

    ended = {step.step: each for (step, _), each in zip(asked, at_once(2, change), strict=True)}
    if ended["hand_over"] is None:
        assert isinstance(ended["stop_parcel"], order_changes.AlreadyHandedOver)
        assert (placed.parcel.status, len(placed.dispatched())) == ("handed_over", 1)
    else:
        assert isinstance(ended["hand_over"], order_changes.ParcelStopped)
        assert ended["stop_parcel"] is None
        assert (placed.parcel.status, len(placed.dispatched())) == ("stopped", 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "stopped"},
        {"status": "booked", "stopped_by": uuid4()},
        {"status": "handed_over", "stopped_by": uuid4()},
    ],
)
def test_the_database_refuses_a_stopped_parcel_that_no_change_has_stopped(
    placed: PlacedOrder, changes: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match="shipment_stopped_by_a_change"):
        Shipment.objects.update(**changes)
