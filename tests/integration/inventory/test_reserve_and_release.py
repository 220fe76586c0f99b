"""Reserving and releasing stock, one order at a time."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from inventory import services
from inventory.models import Movement, Reservation, Stock
from inventory.selectors import available_units
from inventory.services import OutOfStock, UnknownSku, receive_stock, top_up_stock
from orchestration.contracts.inventory import ReleaseStock, ReserveStock
from orchestration.contracts.values import Line

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory"])


def reserve(*wanted: tuple[str, int]) -> UUID:
    """Reserve (SKU, units) pairs as the kit does, in one transaction, for a saga of their own."""
    saga_id = uuid4()
    lines = tuple(Line(sku, quantity, 100) for sku, quantity in wanted)
    with transaction.atomic(using="inventory"):
        [refusal] = services.reserve_stock([ReserveStock(saga_id=saga_id, order_id=uuid4(), lines=lines)])
        if refusal:
            raise refusal
    return saga_id


def release(saga_id: UUID) -> None:
    with transaction.atomic(using="inventory"):
        services.release_stock([ReleaseStock(saga_id=saga_id, order_id=uuid4())])


def stock(sku: str) -> tuple[int, int, int]:
    """(on hand, reserved, version) of one SKU."""
    return Stock.objects.values_list("on_hand", "reserved", "version").get(sku=sku)


def movements(sku: str) -> list[tuple[str, int]]:
    return list(Movement.objects.filter(stock=sku).order_by("id").values_list("kind", "quantity"))


def test_every_line_is_reserved() -> None:
    receive_stock(units_by_sku={"MUG": 10, "CUP": 10})
    saga_id = reserve(("MUG", 3), ("CUP", 4))
    assert available_units(["MUG", "CUP"]) == {"MUG": 7, "CUP": 6}
    held = Reservation.objects.filter(saga_id=saga_id, released_at=None).values_list("stock_id", "quantity")
    assert sorted(held) == [("CUP", 4), ("MUG", 3)]


def test_the_last_unit_can_be_reserved() -> None:
    receive_stock(units_by_sku={"MUG": 2})
    reserve(("MUG", 2))
    assert available_units(["MUG"]) == {"MUG": 0}


def test_one_short_line_refuses_the_whole_order() -> None:
    receive_stock(units_by_sku={"CUP": 10, "MUG": 2})
    with pytest.raises(OutOfStock) as refusal:
        reserve(("CUP", 1), ("MUG", 3))
    assert refusal.value.as_json() == {
        "code": "out_of_stock",
        "detail": "Not enough units are left.",
        "facts": {"sku": "MUG", "wanted": 3, "available": 2},
    }
    assert (stock("CUP")[1], stock("MUG")[1], Reservation.objects.count()) == (0, 0, 0)


def test_an_unknown_sku_refuses_the_whole_order() -> None:
    receive_stock(units_by_sku={"MUG": 2})
    with pytest.raises(UnknownSku) as refusal:
        reserve(("MUG", 1), ("NIL", 1))
    assert (refusal.value.code, refusal.value.facts) == ("unknown_sku", {"sku": "NIL"})
    assert stock("MUG")[1] == 0


def test_the_same_sku_on_two_lines_is_one_need() -> None:
    receive_stock(units_by_sku={"MUG": 5})
    with pytest.raises(OutOfStock, match="'wanted': 6"):
        reserve(("MUG", 3), ("MUG", 3))
    saga_id = reserve(("MUG", 3), ("MUG", 2))
    assert Reservation.objects.get(saga_id=saga_id).quantity == 5


def test_release_gives_back_exactly_what_this_saga_reserved() -> None:
    receive_stock(units_by_sku={"MUG": 10, "CUP": 10})
    reserve(("MUG", 2))
    saga_id = reserve(("MUG", 3), ("CUP", 4))
    release(saga_id)
    assert (stock("MUG")[1], stock("CUP")[1]) == (2, 0)
    assert Reservation.objects.filter(saga_id=saga_id, released_at=None).count() == 0
    assert movements("MUG") == [("received", 10), ("reserved", 2), ("reserved", 3), ("released", 3)]


def test_releasing_again_changes_nothing() -> None:
    receive_stock(units_by_sku={"MUG": 10})
    saga_id = reserve(("MUG", 3))
    release(saga_id)
    before = stock("MUG")
    release(saga_id)
    assert stock("MUG") == before


def test_releasing_what_was_never_reserved_changes_nothing() -> None:
    receive_stock(units_by_sku={"MUG": 10})
    release(uuid4())
    assert stock("MUG") == (10, 0, 1)


def test_every_change_raises_the_version() -> None:
    receive_stock(units_by_sku={"MUG": 10})
    release(reserve(("MUG", 1)))
    assert stock("MUG")[2] == 3


def test_a_delivery_adds_to_what_is_on_hand() -> None:
    receive_stock(units_by_sku={"MUG": 10})
    reserve(("MUG", 4))
    receive_stock(units_by_sku={"MUG": 5, "CUP": 1})
    assert stock("MUG")[:2] == (15, 4)
    assert movements("CUP") == [("received", 1)]


def test_topping_up_receives_only_what_is_missing() -> None:
    receive_stock(units_by_sku={"MUG": 10, "CUP": 3})
    reserve(("MUG", 4))
    top_up_stock(units_by_sku={"MUG": 8, "CUP": 2, "PAN": 1})
    assert available_units(["MUG", "CUP", "PAN"]) == {"MUG": 8, "CUP": 3, "PAN": 1}


def test_an_order_of_592_skus_takes_few_statements(django_assert_max_num_queries: Any) -> None:
    skus = {f"SKU-{number:03}": 1 for number in range(592)}
    receive_stock(units_by_sku=skus)
    with django_assert_max_num_queries(10, using="inventory"):
        saga_id = reserve(*skus.items())
    assert Reservation.objects.filter(saga_id=saga_id).count() == 592


def test_a_one_line_order_takes_a_savepoint_and_nothing_else_of_the_orm(django_assert_num_queries: Any) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    request = ReserveStock(saga_id=uuid4(), order_id=uuid4(), lines=(Line("MUG", 1, 100),))
    with transaction.atomic(using="inventory"), django_assert_num_queries(2, using="inventory"):
        services.reserve_stock([request])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"reserved": 11}, "stock_not_oversold"),
        ({"reserved": -1}, "stock_reserved_not_negative"),
        ({"on_hand": -1, "reserved": -2}, "stock_on_hand_not_negative|stock_reserved_not_negative"),
    ],
)
def test_the_database_refuses_impossible_stock(changes: dict[str, int], rule: str) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    with pytest.raises(IntegrityError, match=rule):
        Stock.objects.filter(sku="MUG").update(**changes)


def test_the_database_refuses_a_second_reservation_of_a_sku_by_a_saga() -> None:
    receive_stock(units_by_sku={"MUG": 10})
    saga_id = reserve(("MUG", 1))
    with pytest.raises(IntegrityError, match="reservation_once_per_saga_and_sku"):
        Reservation.objects.create(saga_id=saga_id, order_id=uuid4(), stock_id="MUG", quantity=1)
