"""Messages that come more than once: everything is done once."""

import pytest

from orchestration.participant.participant import participants
from orchestration.protocol.states import Bar, Forward, Undo
from orders.models import Order
from payments.gateways.sandbox import models as gateway
from shipping.carriers.sandbox import models as carrier

pytestmark = pytest.mark.usefixtures("audited")

COPIES = 10


@pytest.mark.usefixtures("shared_worker")
def test_ten_copies_of_every_message_place_one_order(shop):
    saga_id = shop.place()
    shop.send(saga_id, Forward(0), times=COPIES)

    assert shop.ended(saga_id) == ["completed"]
    assert Order.objects.count() == 1
    assert gateway.Operation.objects.count() == 2  # an authorisation and a capture
    assert carrier.Operation.objects.count() == 1
    assert shop.available() == 999


@pytest.mark.usefixtures("shared_worker")
def test_ten_copies_of_a_refused_order_and_of_its_compensations_undo_it_once(shop):
    saga_id = shop.place(line2="carrier_refuse")
    shop.send(saga_id, Forward(0), times=COPIES)
    shop.reaches(saga_id, "refused schedule_shipment")
    shop.send(saga_id, Undo(("authorise_payment", "reserve_stock")), times=COPIES)

    assert shop.ended(saga_id) == ["compensated"]
    assert [line for line in shop.story(saga_id) if line.startswith(("refused", "undone"))] == [
        "refused schedule_shipment",
        "undone authorise_payment",
        "undone reserve_stock",
    ]
    assert gateway.Operation.objects.count() == 2  # an authorisation and a void
    assert shop.available() == 1000


@pytest.mark.usefixtures("shared_worker")
@pytest.mark.parametrize("payment_method", ["tok_fail_1", "tok_timeout_after", "tok_capture_fail_1"])
def test_ten_copies_of_a_step_that_fails_take_the_money_once(shop, payment_method: str):
    saga_id = shop.place(payment_method=payment_method)
    shop.send(saga_id, Forward(0), times=COPIES)

    assert shop.ended(saga_id) == ["completed"]
    assert gateway.Operation.objects.count() == 2  # an authorisation and a capture


@pytest.mark.usefixtures("shared_worker")
def test_ten_copies_of_every_message_after_the_end_change_nothing(shop, workforce):
    saga_id = shop.place()
    shop.ended(saga_id)
    workforce.wait_until_quiet()
    story, ledgers = shop.story(saga_id), ledger_rows()

    shop.send(saga_id, Forward(0), times=COPIES)
    workforce.wait_until_quiet()

    assert (shop.story(saga_id), ledger_rows()) == (story, ledgers)


@pytest.mark.usefixtures("shared_worker")
def test_ten_bars_after_the_pivot_give_nothing_up(shop, workforce):
    saga_id = shop.place()
    shop.ended(saga_id)

    shop.send(saga_id, Bar(), times=COPIES)
    workforce.wait_until_quiet()

    assert shop.saga(saga_id).phase == "completed"
    assert shop.ledger(saga_id)["place_order"] == "done"


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        ({}, "completed"),
        ({"payment_method": "tok_fail_1"}, "completed"),
        ({"line2": "carrier_refuse", "payment_method": "tok_void_fail_1"}, "compensated"),
    ],
)
def test_every_message_of_every_process_published_twice_changes_nothing(shop, start_worker, asked: dict, end: str):
    start_worker(app="tests.support.duplicates")

    saga_id = shop.place(**asked)

    assert shop.ended(saga_id) == [end]
    assert shop.available() == (999 if end == "completed" else 1000)


def ledger_rows() -> list[tuple]:
    """Every row of every ledger, as it is."""
    ledgers = [participant.ledger for participant in participants().values()]
    return [row for ledger in ledgers for row in ledger._default_manager.order_by("pk").values_list()]
