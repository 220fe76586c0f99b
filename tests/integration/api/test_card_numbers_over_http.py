"""A card number is refused wherever it stands in a request, and repeated nowhere: not in the answer, no log, no row."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inventory.models import Stock
from orchestration.models import MachineryLogEntry, OperatorLogEntry, SagaInstance
from orchestration.participant import breaker_registry
from orchestration.telemetry.logs import JsonFormatter, LineFormatter
from orders.models import Product
from tests.integration.admin.situations import Situations
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper, pointers

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]

CARD = "4242424242424242"
WRITTEN = (CARD, "4242 4242 4242 4242", "4242-4242-4242-4242", "mine is 378282246310005")
HIDDEN = ("42424242", "4242 4242", "4242-4242", "378282246310005")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged meanwhile, in both formats."""
    written = io.StringIO()
    handlers = []
    for formatter in (LineFormatter(), JsonFormatter()):
        handler = logging.StreamHandler(written)
        handler.setFormatter(formatter)
        logging.getLogger().addHandler(handler)
        handlers.append(handler)
    yield written
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


def repeats(response: Any, logged: io.StringIO) -> bool:
    reported = response.text + str(dict(response.items())) + logged.getvalue()
    return any(part in reported for part in HIDDEN)


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("field", ["name", "line1", "line2", "city", "postcode"])
def test_in_an_address(ada: Shopper, two_mugs: Cart, logged: io.StringIO, field: str, written: str) -> None:
    two_mugs["shipping_address"][field] = written
    response = ada.check_out(two_mugs)
    assert response.status_code == 422
    assert (f"/shipping_address/{field}", "card_number") in pointers(response)
    assert not repeats(response, logged)
    assert not SagaInstance.objects.exists()


@pytest.mark.parametrize("written", [*WRITTEN, int(CARD)])
def test_in_place_of_a_sku(ada: Shopper, two_mugs: Cart, logged: io.StringIO, written: str) -> None:
    two_mugs["lines"].append({"sku": str(written), "quantity": 1})
    response = ada.check_out(two_mugs)
    assert pointers(response) == [("/lines/1/sku", "card_number")]
    assert not repeats(response, logged)


def test_an_article_number_on_sale_that_passes_for_a_card_number_can_be_bought(ada: Shopper, two_mugs: Cart) -> None:
    ean = "4006381333922"  # passes Luhn's check
    Product.objects.create(sku=ean, name="Pen", price_minor=199, currency="GBP")
    Stock.objects.create(sku=ean, on_hand=5)
    two_mugs["lines"] = [{"sku": ean, "quantity": 1}]
    assert ada.check_out(two_mugs).status_code == 202


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda cart, name: cart.update({name: 1}), ""),
        (lambda cart, name: cart["lines"][0].update({name: 1}), "/lines/0"),
        (lambda cart, name: cart["shipping_address"].update({name: {name: 1}}), "/shipping_address"),
    ],
    ids=["body", "line", "address"],
)
def test_as_a_members_name(
    ada: Shopper,
    two_mugs: Cart,
    logged: io.StringIO,
    change: Callable[[Cart, str], None],
    pointer: str,
    written: str,
) -> None:
    change(two_mugs, written)
    response = ada.check_out(two_mugs)
    assert pointers(response) == [(pointer, "card_number")]
    assert not repeats(response, logged)


@pytest.mark.parametrize("written", WRITTEN)
def test_as_a_key(ada: Shopper, two_mugs: Cart, logged: io.StringIO, written: str) -> None:
    response = ada.check_out(two_mugs, key=written)
    assert (response.status_code, response.json()["code"]) == (400, "card_number")
    assert not repeats(response, logged)
    assert not SagaInstance.objects.exists()


def test_in_a_path_or_a_query(ada: Shopper, boss: Shopper, logged: io.StringIO) -> None:
    for response in (
        ada.get(f"/checkouts/{CARD}"),
        boss.get(f"/sagas?status={CARD}"),
        boss.get(f"/sagas?cursor={CARD}"),
    ):
        assert response.status_code in (400, 404)
        assert not repeats(response, logged)


def test_as_a_media_type_or_a_method(ada: Shopper, two_mugs: Cart, logged: io.StringIO) -> None:
    body = json.dumps(two_mugs)
    response = ada.post("/checkouts", data=body, content_type=f"text/{CARD}", headers={"Idempotency-Key": "k"})
    assert response.status_code == 415
    assert not repeats(response, logged)


@pytest.mark.parametrize("written", WRITTEN)
def test_in_what_staff_say(boss: Shopper, situations: Situations, logged: io.StringIO, written: str) -> None:
    path = f"/sagas/{situations.parked_after_pivot()}/actions"
    said = {"action": "settle", "step": "capture_payment", "reason": "why", "evidence": "statement 7"}
    for name, value in [
        ("reason", written),
        ("evidence", written),
        ("step", written),
        ("action", written),
        ("facts", {"capture_id": written}),
        ("facts", {written: ""}),
    ]:
        response = boss.post(path, data={**said, name: value}, content_type="application/json")
        assert response.status_code == 422
        assert "card_number" in [code for _, code in pointers(response)], name
        assert not repeats(response, logged)
    assert not OperatorLogEntry.objects.exists()


def test_in_a_reason_about_a_breaker(boss: Shopper, logged: io.StringIO) -> None:
    name = next(iter(breaker_registry.in_use()))
    response = boss.post(
        f"/breakers/{name}/open", data={"reason": CARD, "seconds": 60}, content_type="application/json"
    )
    assert pointers(response) == [("/reason", "card_number")]
    assert not repeats(response, logged)
    assert not MachineryLogEntry.objects.exists()
