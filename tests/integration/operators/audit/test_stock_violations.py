"""A1 and A2 seen to fail, and A4 of reservations.

A `reserved` below zero or above `on_hand` the database itself refuses, as the last test shows.
"""

from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from django.db.models import F
from django.db.models.functions import Now

from inventory.models import Movement, Reservation, Stock
from orchestration.participant.selection import Those
from tests.integration.operators.audit.conftest import Found
from tests.support.plans import by_indexes


def test_units_reserved_for_nobody_are_found(completed: UUID, found: Found) -> None:
    Stock.objects.update(reserved=F("reserved") + 1)
    assert found("A1") == ["3 units of MUG-01 reserved, live reservations hold 2."]


def test_units_from_nowhere_are_found(completed: UUID, found: Found) -> None:
    Stock.objects.update(on_hand=F("on_hand") + 5)
    assert found("A2") == ["1005 units of MUG-01 on hand, received and returned less consumed is 1000."]


def test_units_reserved_without_a_movement_are_found(completed: UUID, found: Found) -> None:
    Movement.objects.filter(kind=Movement.Kind.RESERVED).delete()
    assert found("A2") == ["2 units of MUG-01 reserved, the movements leave 0."]
    assert found("A4") == ["2 units of MUG-01 promised, 0 movements reserved 0."]


def test_units_reserved_twice_for_one_saga_are_found(completed: UUID, found: Found) -> None:
    Movement.objects.create(stock_id="MUG-01", kind=Movement.Kind.RESERVED, quantity=2, saga_id=completed)
    assert found("A4") == ["2 units of MUG-01 promised, 2 movements reserved 4."]


def test_units_released_twice_for_one_saga_are_found(compensated: UUID, found: Found) -> None:
    Movement.objects.create(stock_id="MUG-01", kind=Movement.Kind.RELEASED, quantity=1, saga_id=compensated)
    assert found("A4") == ["1 unit of MUG-01 given back, 2 movements released 2."]


def test_units_given_back_on_paper_only_are_found(completed: UUID, found: Found) -> None:
    Reservation.objects.update(released_at=Now())
    assert found("A1") == ["2 units of MUG-01 reserved, live reservations hold 0."]
    assert "2 units of MUG-01 given back, 0 movements released 0." in found("A4")


def test_units_given_back_by_half_are_found(completed: UUID, found: Found) -> None:
    Stock.objects.create(sku="TEA-01", on_hand=0)
    Reservation.objects.create(saga_id=completed, order_id=completed, stock_id="TEA-01", quantity=1, released_at=Now())
    assert "reserve_stock has an effect that was partly reversed, and its ledger row is done." in found("A4")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"reserved": -1}, "stock_reserved_not_negative"),
        ({"reserved": F("on_hand") + 1}, "stock_not_oversold"),
    ],
)
def test_the_database_refuses_to_oversell(completed: UUID, change: dict[str, object], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        Stock.objects.update(**change)


def test_the_movements_of_a_few_sagas_are_found_by_an_index(db: None) -> None:
    asked = Movement.objects.filter(Those(frozenset({uuid4()})).sagas(), saga_id__isnull=False)
    with by_indexes("inventory"):
        assert "movement_by_saga" in asked.explain()
