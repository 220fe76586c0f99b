"""Each step failing and then recovering: nobody knows whether it was done, and it is done once."""

from threading import Event

import pytest

from inventory.models import Stock
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.audit.violations import Unfinished, violations
from orders.models import Order
from payments.gateways.sandbox import models as gateway
from shipping.carriers.sandbox import models as carrier
from tests.support.crowd import at_once
from tests.support.tables import missing_table

pytestmark = pytest.mark.usefixtures("shared_worker", "audited")


@pytest.mark.parametrize(
    "payment_method",
    ["tok_fail_1", "tok_timeout_before", "tok_timeout_after", "tok_late_1", "tok_arrives_late_1"],
)
def test_gateway_that_fails_once_holds_the_money_once(shop, payment_method: str):
    saga_id = shop.place(payment_method=payment_method)

    assert shop.ended(saga_id) == ["completed"]
    assert shop.story(saga_id).count("failed authorise_payment") == 1
    assert gateway.Operation.objects.filter(kind=gateway.Kind.AUTHORISE).count() == 1


@pytest.mark.parametrize(
    "line2",
    ["carrier_fail_1", "carrier_timeout_before", "carrier_timeout_after", "carrier_late_1", "carrier_arrives_late_1"],
)
def test_carrier_that_fails_once_is_sent_one_parcel(shop, line2: str):
    saga_id = shop.place(line2=line2)

    assert shop.ended(saga_id) == ["completed"]
    assert shop.story(saga_id).count("failed schedule_shipment") == 1
    assert carrier.Operation.objects.filter(kind=carrier.Kind.BOOK).count() == 1


def test_capture_that_fails_is_repeated_and_takes_the_money_once(shop):
    saga_id = shop.place(payment_method="tok_capture_fail_2")

    assert shop.ended(saga_id) == ["completed"]
    story = shop.story(saga_id)
    assert story.count("failed capture_payment") == 2
    assert story.count("pivot_done place_order") == 1
    assert gateway.Operation.objects.filter(kind=gateway.Kind.CAPTURE).count() == 1


def test_capture_that_is_refused_waits_for_a_person_who_says_how_it_was_paid(shop):
    saga_id = shop.place(payment_method="tok_capture_declined")
    shop.reaches(saga_id, "parked capture_payment")
    assert violations(Unfinished(these=[saga_id])) == []

    said = {"reason": "the card expired", "step": "capture_payment", "evidence": "bank statement 7, line 12"}
    perform(saga_id, Ask(OperatorAction.SETTLE, Actor("ada", 1, Via.ADMIN), **said), expected_version=None)

    assert shop.ended(saga_id) == ["completed"]
    assert not gateway.Operation.objects.filter(kind=gateway.Kind.CAPTURE).exists()


def test_compensation_that_fails_does_not_hold_up_the_others(shop):
    saga_id = shop.place(payment_method="tok_void_fail_1", line2="carrier_refuse")

    assert shop.ended(saga_id) == ["compensated"]
    story = shop.story(saga_id)
    assert story.count("failed authorise_payment") == 1
    assert story.index("undone reserve_stock") < story.index("undone authorise_payment")


@pytest.mark.parametrize(
    ("alias", "table", "step"),
    [
        ("inventory", "inventory_reservation", "reserve_stock"),
        ("payments", "payments_payment", "authorise_payment"),
        ("shipping", "shipping_shipment", "schedule_shipment"),
        ("orders", "orders_order", "place_order"),
    ],
)
def test_step_whose_database_fails_is_done_once_it_works_again(shop, alias: str, table: str, step: str):
    with missing_table(alias, table):
        saga_id = shop.place()
        shop.reaches(saga_id, f"failed {step}")

    assert shop.ended(saga_id) == ["completed"]
    assert Order.objects.count() == 1
    assert shop.available() == 999


def test_storm_of_version_conflicts_fails_no_order(shop):
    over = Event()

    def storm() -> None:
        while not over.is_set():
            stock = Stock.objects.get(sku=shop.sku)
            Stock.objects.filter(sku=shop.sku).update(version=stock.version + 1)

    def shopping() -> list[str]:
        try:
            return shop.ended(*[shop.place() for _ in range(20)])
        finally:
            over.set()

    phases, _ = at_once([shopping, storm])

    assert phases == ["completed"] * 20
    assert shop.available() == 980
