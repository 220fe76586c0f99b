"""Units of placed orders leave the warehouse, are released, and come back, each change with its effect once."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, Sum

from inventory import order_changes
from inventory.models import Ledger, Movement, Reservation, Stock
from inventory.order_changes import NotReserved
from inventory.repairs import NothingToRecount, recount_reserved
from inventory.services import receive_stock
from inventory.tasks import participant
from orchestration.contracts.codec import decode
from orchestration.contracts.command import Action
from orchestration.contracts.inventory import (
    ConsumeUnits,
    RecountReserved,
    consume_units,
    release_stock,
    release_units,
    reserve_stock,
    take_back,
)
from orchestration.participant.batch import Together
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Barred, Done, Outcome, Refused
from orchestration.testing import step_runner
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory"])

ACTIONS: Mapping[str, Action] = {each.step: each for each in (consume_units, release_units, take_back)}


@dataclass
class PlacedOrder:
    """An order whose units are reserved. Each change of it has a saga and a fence of its own."""

    checkout_id: UUID
    order_id: UUID
    fence: int = 0

    def call(self, step: str, **units: int) -> Call:
        """Return the message of one change: units by SKU."""
        self.fence += 1
        saga_id = uuid4()
        known = {
            "saga_id": str(saga_id),
            "order_id": str(self.order_id),
            "order_fence": self.fence,
            "checkout_id": str(self.checkout_id),
            "change_lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()],
        }
        return Call(saga_id, step, token=1, known=known)

    def change(self, step: str, **units: int) -> Outcome:
        """Make a change, and return its outcome."""
        return act(self.call(step, **units))


def act(call: Call) -> Outcome:
    [outcome] = step_runner.act(participant, ACTIONS[call.step], [call])
    return outcome


def order(**units: int) -> PlacedOrder:
    """Reserve these units, as a checkout does."""
    placed = PlacedOrder(uuid4(), uuid4())
    lines = [{"sku": sku, "quantity": quantity, "unit_price_minor": 100} for sku, quantity in units.items()]
    known = {"saga_id": str(placed.checkout_id), "order_id": str(placed.order_id), "lines": lines}
    call = Call(placed.checkout_id, "reserve_stock", token=1, known=known)
    assert step_runner.act(participant, reserve_stock, [call]) == [Done({})]
    return placed


def stock(sku: str = "MUG") -> tuple[int, int]:
    """(on hand, reserved)."""
    return Stock.objects.values_list("on_hand", "reserved").get(sku=sku)


def movements(placed: PlacedOrder, sku: str = "MUG") -> list[tuple[str, int]]:
    rows = Movement.objects.filter(saga_id=placed.checkout_id, stock=sku).order_by("id")
    return list(rows.values_list("kind", "quantity"))


@pytest.fixture(autouse=True)
def ten_of_each() -> None:
    receive_stock(units_by_sku={"MUG": 10, "CUP": 10})


def test_units_that_leave_are_neither_reserved_nor_on_hand() -> None:
    placed = order(MUG=3, CUP=2)
    version = Stock.objects.get(sku="MUG").version
    call = placed.call("consume_units", MUG=3)
    assert act(call) == Done({})
    assert (stock("MUG"), stock("CUP")) == ((7, 0), (10, 2))
    assert Stock.objects.get(sku="MUG").version == version + 1
    assert movements(placed) == [("reserved", 3), ("consumed", 3)]
    assert Movement.objects.get(kind="consumed").change_id == call.saga_id
    assert Reservation.objects.get(stock="MUG").consumed == 3


def test_parts_of_a_line_leave_one_after_the_other() -> None:
    placed = order(MUG=5, CUP=1)
    placed.change("consume_units", MUG=2)
    placed.change("consume_units", MUG=1, CUP=1)
    assert stock() == (7, 2)
    placed.change("consume_units", MUG=2)
    assert (stock(), stock("CUP")) == ((5, 0), (9, 0))


def test_no_more_units_leave_than_are_reserved() -> None:
    other, placed = order(MUG=4), order(MUG=3)
    placed.change("consume_units", MUG=2)
    call = placed.call("consume_units", MUG=2)
    with pytest.raises(NotReserved, match="'MUG': 1"):
        act(call)
    assert stock() == (8, 5)
    assert not Ledger.objects.filter(saga_id=call.saga_id).exists()
    assert other.change("consume_units", MUG=4) == Done({})


def test_units_of_a_sku_that_the_order_lacks_do_not_leave() -> None:
    with pytest.raises(NotReserved, match="'CUP': 1"):
        order(MUG=1).change("consume_units", CUP=1)
    assert (stock("MUG"), stock("CUP")) == ((10, 1), (10, 0))


def test_released_units_do_not_leave() -> None:
    placed = order(MUG=3)
    placed.change("release_units")
    with pytest.raises(NotReserved):
        placed.change("consume_units", MUG=1)
    assert stock() == (10, 0)


def test_an_order_releases_its_units() -> None:
    other, placed = order(MUG=1), order(MUG=3, CUP=2)
    call = placed.call("release_units")
    assert act(call) == Done({})
    assert (stock("MUG"), stock("CUP")) == ((10, 1), (10, 0))
    assert movements(placed) == [("reserved", 3), ("released", 3)]
    assert set(Movement.objects.filter(kind="released").values_list("change_id", flat=True)) == {call.saga_id}
    assert movements(other) == [("reserved", 1)]


def test_only_units_that_have_not_left_are_released() -> None:
    placed = order(MUG=3, CUP=1)
    placed.change("consume_units", MUG=2, CUP=1)
    placed.change("release_units")
    assert (stock("MUG"), stock("CUP")) == ((8, 0), (9, 0))
    assert movements(placed) == [("reserved", 3), ("consumed", 2), ("released", 1)]
    assert Reservation.objects.get(stock="CUP").released_at is None


def test_a_compensation_releases_only_units_that_have_not_left() -> None:
    placed = order(MUG=3)
    placed.change("consume_units", MUG=1)
    known = {"saga_id": str(placed.checkout_id), "order_id": str(placed.order_id)}
    step_runner.undo(participant, release_stock, [Call(placed.checkout_id, "reserve_stock", token=2, known=known)])
    assert stock() == (9, 0)


def test_units_that_come_back_can_be_sold_again() -> None:
    placed = order(MUG=3)
    placed.change("consume_units", MUG=3)
    version = Stock.objects.get(sku="MUG").version
    call = placed.call("take_back", MUG=2)
    assert act(call) == Done({})
    assert stock() == (9, 0)
    assert Stock.objects.get(sku="MUG").version == version + 1
    assert movements(placed) == [("reserved", 3), ("consumed", 3), ("returned", 2)]
    assert Movement.objects.get(kind="returned").change_id == call.saga_id
    assert placed.change("take_back", MUG=1) == Done({})
    assert stock() == (10, 0)


def test_no_more_units_come_back_than_have_left() -> None:
    placed = order(MUG=3, CUP=1)
    placed.change("consume_units", MUG=2, CUP=1)
    placed.change("take_back", MUG=1)
    refused = placed.change("take_back", MUG=2, CUP=1)
    assert isinstance(refused, Refused)
    assert (refused.refusal["code"], refused.refusal["facts"]) == (
        "quantity_exceeds_dispatched",
        {"exceeds_by": {"MUG": 1}},
    )
    assert (stock("MUG"), stock("CUP")) == ((9, 1), (9, 0))


def test_of_a_batch_only_the_refused_return_changes_nothing() -> None:
    one, two = order(MUG=2), order(MUG=2)
    two.change("consume_units", MUG=2)
    calls = [one.call("take_back", MUG=1), two.call("take_back", MUG=2)]
    outcomes = step_runner.act(participant, take_back, calls)
    assert [type(outcome) for outcome in outcomes] == [Refused, Done]
    assert stock() == (10, 2)


def test_of_a_batch_only_the_impossible_dispatch_fails() -> None:
    one, two = order(MUG=2), order(MUG=2)
    calls = [one.call("consume_units", MUG=3), two.call("consume_units", MUG=2)]
    errors = [ending.error for ending in step_runner.run(participant, consume_units.name, calls)]
    assert [type(error) for error in errors] == [NotReserved, type(None)]
    assert stock() == (8, 2)


def test_one_batch_consumes_and_one_releases_the_units_of_many_orders() -> None:
    one, two, three = order(MUG=2, CUP=1), order(MUG=3), order(CUP=4)
    step_runner.act(participant, consume_units, [one.call("consume_units", MUG=1), two.call("consume_units", MUG=3)])
    assert (stock("MUG"), stock("CUP")) == ((6, 1), (10, 5))
    step_runner.act(participant, release_units, [each.call("release_units") for each in (one, two, three)])
    assert (stock("MUG"), stock("CUP")) == ((6, 0), (10, 0))


@pytest.mark.parametrize("step", ACTIONS)
def test_a_change_repeated_has_its_effect_once(step: str) -> None:
    placed = order(MUG=4)
    placed.change("consume_units", MUG=2)
    call = placed.call(step, MUG=2)
    first = act(call)
    before = (stock(), movements(placed))
    assert act(call) == first == Done({})
    assert (stock(), movements(placed)) == before


@pytest.mark.parametrize("step", ACTIONS)
def test_a_barred_change_does_nothing(step: str) -> None:
    placed = order(MUG=4)
    placed.change("consume_units", MUG=2)
    call, before = placed.call(step, MUG=1), (stock(), movements(placed))
    assert step_runner.bar(participant, [call]) == [True]
    assert act(call) == Barred()
    assert (stock(), movements(placed)) == before


@pytest.mark.parametrize("step", ACTIONS)
def test_a_crash_of_a_change_leaves_neither_effect_nor_row(step: str) -> None:
    placed = order(MUG=4)
    placed.change("consume_units", MUG=2)
    call, before = placed.call(step, MUG=1), (stock(), movements(placed), Ledger.objects.count())
    work = participant.commands[ACTIONS[step]]
    assert isinstance(work, Together)

    def then_crash(requests: object) -> None:
        work.do(requests)  # type: ignore[arg-type]
        raise ZeroDivisionError

    crashing = replace(participant, commands={ACTIONS[step]: Together(then_crash)})  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        step_runner.act(crashing, ACTIONS[step], [call])
    assert (stock(), movements(placed), Ledger.objects.count()) == before
    assert act(call) == Done({})


@pytest.mark.parametrize("step", ACTIONS)
def test_one_change_in_two_threads_has_its_effect_once(step: str) -> None:
    placed = order(MUG=4)
    placed.change("consume_units", MUG=2)
    call, before = placed.call(step, MUG=1), len(movements(placed))
    assert at_once(2, lambda _: act(call)) == [Done({})] * 2
    assert len(movements(placed)) == before + 1


@pytest.mark.parametrize("round_", range(10))
def test_two_dispatches_in_two_threads_never_share_a_unit(round_: int) -> None:
    """Also without the kit, whose check of the fence lets one change of an order wait for the other."""
    placed = order(MUG=3)
    requests: list[ConsumeUnits] = [decode(ConsumeUnits, placed.call("consume_units", MUG=2).known) for _ in range(2)]

    def consume(number: int) -> None:
        with transaction.atomic(using="inventory"):
            order_changes.consume_units([requests[number]])

    assert sorted(type(each).__name__ for each in at_once(2, consume)) == ["NoneType", "NotReserved"]
    assert stock() == (8, 1)


def test_stock_with_consumed_units_needs_no_recount() -> None:
    order(MUG=3).change("consume_units", MUG=2)
    with transaction.atomic(using="inventory"), pytest.raises(NothingToRecount):
        recount_reserved(RecountReserved(uuid4(), "MUG"))
    Stock.objects.filter(sku="MUG").update(reserved=F("reserved") + 2)
    with transaction.atomic(using="inventory"):
        recount_reserved(RecountReserved(uuid4(), "MUG"))
    assert stock() == (8, 1)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"consumed": 4}, "reservation_not_over_consumed"),
        ({"consumed": -1}, "reservation_not_over_consumed|reservation_not_over_returned"),
        ({"consumed": 1, "returned": 2}, "reservation_not_over_returned"),
    ],
)
def test_the_database_refuses_impossible_reservations(changes: dict[str, int], rule: str) -> None:
    order(MUG=3)
    with pytest.raises(IntegrityError, match=rule):
        Reservation.objects.update(**changes)


def books_agree() -> None:
    """Assert that stock row, reservations and movements say the same of the mugs, and that no number is below zero."""
    on_hand, reserved = stock()
    live = Reservation.objects.filter(stock="MUG", released_at=None).aggregate(units=Sum(F("quantity") - F("consumed")))
    assert reserved == (live["units"] or 0)
    sums = Movement.objects.filter(stock="MUG").order_by().values_list("kind").annotate(Sum("quantity"))
    moved: Counter[str] = Counter(dict(sums))
    assert on_hand == moved["received"] - moved["consumed"] + moved["returned"]
    assert reserved == moved["reserved"] - moved["released"] - moved["consumed"]
    assert 0 <= reserved <= on_hand


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_changes_makes_the_books_disagree(seed: int) -> None:
    chance = random.Random(seed)
    orders: list[PlacedOrder] = []

    def place() -> None:
        wanted, (on_hand, reserved) = chance.randint(1, 4), stock()
        if on_hand - reserved >= wanted:
            orders.append(order(MUG=wanted))

    def change() -> None:
        if orders:
            step = chance.choice(list(ACTIONS))
            try:
                chance.choice(orders).change(step, MUG=chance.randint(1, 4))
            except NotReserved:
                assert step == "consume_units"

    acts: list[Callable[[], None]] = [place, change, change]
    for _ in range(25):
        chance.choice(acts)()
        books_agree()
