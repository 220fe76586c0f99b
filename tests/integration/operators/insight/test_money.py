"""The money line of real sagas, read from payments' own books."""

import pytest

from config import env
from orchestration.operators.insight.money import MoneyLine, money_of
from orchestration.operators.insight.saga_view import SagaView, saga_view_of
from orchestration.operators.insight.sources import Unavailable
from tests.integration.admin.situations import Situations
from tests.support.tables import missing_table

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


def saga_view_at(situations: Situations, *steps: str) -> SagaView:
    saga_id = situations.running()
    situations.act(saga_id, *steps)
    view = saga_view_of(saga_id)
    assert view is not None
    return view


def test_money_is_on_hold_until_it_is_taken(situations: Situations) -> None:
    held = money_of(saga_view_at(situations, "reserve_stock", "authorise_payment"))
    assert isinstance(held, MoneyLine)
    assert (held.authorised_minor, held.on_hold_minor, held.out_of_pocket_minor, held.currency) == (100, 100, 0, "GBP")

    everything = ("reserve_stock", "authorise_payment", "schedule_shipment", "place_order", "capture_payment")
    taken = money_of(saga_view_at(situations, *everything))
    assert isinstance(taken, MoneyLine)
    assert (taken.captured_minor, taken.on_hold_minor, taken.out_of_pocket_minor) == (100, 0, 100)
    assert taken.reference


def test_a_saga_that_has_not_come_to_its_payment_has_no_line(situations: Situations) -> None:
    assert money_of(saga_view_at(situations, "reserve_stock")) is None


def test_books_that_cannot_be_read_are_named(situations: Situations) -> None:
    view = saga_view_at(situations, "reserve_stock")
    with missing_table("payments", "payments_payment"):
        found = money_of(view)
    assert isinstance(found, Unavailable)
    assert found.why.startswith("the database of payments does not answer: ")
