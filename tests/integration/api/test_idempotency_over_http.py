"""One key, one purchase."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction

from orchestration.engine import engine
from orchestration.models import SagaInstance
from orchestration.protocol.events import StepRefused
from orders.models import Product
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]


def test_request_without_a_key_is_refused(ada: Shopper, two_mugs: Cart) -> None:
    response = ada.post("/checkouts", data=json.dumps(two_mugs), content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize(
    "key", ["x" * 256, "schlüssel", "tab\there", "\x7f", "k-1,k-2", '"k-1","k-2"', '"k', 'k"', 'k"k']
)
def test_key_that_is_not_printable_ascii_is_refused(ada: Shopper, two_mugs: Cart, key: str) -> None:
    response = ada.check_out(two_mugs, key=key)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_malformed")


@pytest.mark.parametrize("key", ["x", "x" * 255, "a b~!", '"quoted"', '"a,b"'])
def test_key_of_1_to_255_printable_characters_is_taken(ada: Shopper, two_mugs: Cart, key: str) -> None:
    assert ada.check_out(two_mugs, key=key).status_code == 202


def test_key_is_checked_before_the_body_is_read(ada: Shopper) -> None:
    response = ada.post("/checkouts", data="x" * 100_000, content_type="text/plain")
    assert response.json()["code"] == "idempotency_key_missing"


def test_same_key_and_body_get_the_same_answer(ada: Shopper, two_mugs: Cart) -> None:
    first = ada.check_out(two_mugs, key="k-1")
    again = ada.check_out(json.dumps(two_mugs, indent=4, sort_keys=True), key="k-1")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again["Location"] == first["Location"]
    assert SagaInstance.objects.count() == 1


def test_answer_is_the_same_after_the_outcome_is_known(ada: Shopper, two_mugs: Cart) -> None:
    first = ada.check_out(two_mugs, key="k-1").json()
    engine.apply(UUID(first["id"]), StepRefused("reserve_stock", {"code": "out_of_stock"}), now=datetime.now(UTC))
    assert ada.check_out(two_mugs, key="k-1").json() == first


def test_answer_is_the_same_after_the_price_has_changed(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["expected_total"] = {"amount_minor": 1998, "currency": "GBP"}
    first = ada.check_out(two_mugs, key="k-1")
    Product.objects.filter(sku="MUG-01").update(price_minor=5, active=False)
    again = ada.check_out(two_mugs, key="k-1")
    assert (again.status_code, again.json()) == (202, first.json())


def test_same_key_with_another_body_is_refused(ada: Shopper, two_mugs: Cart) -> None:
    ada.check_out(two_mugs, key="k-1")
    two_mugs["lines"][0]["quantity"] = 3
    response = ada.check_out(two_mugs, key="k-1")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert SagaInstance.objects.count() == 1


def test_a_reused_key_names_the_checkout_it_stands_for(ada: Shopper, grace: Shopper, two_mugs: Cart) -> None:
    first = ada.check_out(two_mugs, key="k-1")
    other = {**two_mugs, "payment_method": "tok_other_card"}
    refused = ada.check_out(other, key="k-1")
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert refused.json()["checkout_id"] == first.json()["id"]
    assert refused["Location"] == first["Location"]
    assert ada.client.get(refused["Location"], headers={"Authorization": f"Token {ada.token}"}).status_code == 200
    theirs = grace.check_out(other, key="k-1")
    assert theirs.status_code == 202
    assert first.json()["id"] not in theirs.text


def test_reused_key_is_reported_before_the_body_is_validated(ada: Shopper, two_mugs: Cart) -> None:
    ada.check_out(two_mugs, key="k-1")
    assert ada.check_out({"nonsense": True}, key="k-1").json()["code"] == "idempotency_key_reused"


def test_keys_are_per_customer(ada: Shopper, grace: Shopper, two_mugs: Cart) -> None:
    first = ada.check_out(two_mugs, key="k-1").json()
    assert grace.check_out(two_mugs, key="k-1").json()["id"] != first["id"]


def test_refused_request_leaves_its_key_free(ada: Shopper, two_mugs: Cart) -> None:
    two_mugs["expected_total"] = {"amount_minor": 1, "currency": "GBP"}
    assert ada.check_out(two_mugs, key="k-1").status_code == 422
    two_mugs["expected_total"] = {"amount_minor": 1998, "currency": "GBP"}
    assert ada.check_out(two_mugs, key="k-1").status_code == 202


def in_threads(calls: list[Callable[[], Any]]) -> list[Any]:
    """Call all of them at the same moment, each in its own thread."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait(10)
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)
def test_twelve_requests_at_once_with_one_key_are_one_purchase(ada: Shopper, two_mugs: Cart) -> None:
    responses = in_threads([lambda: ada.check_out(two_mugs, key="k-1")] * 12)
    assert {response.status_code for response in responses} <= {202, 409}
    accepted = [response.json() for response in responses if response.status_code == 202]
    assert accepted
    assert all(answer == accepted[0] for answer in accepted)
    assert {response.json()["code"] for response in responses if response.status_code == 409} <= {
        "idempotency_key_in_progress"
    }
    assert SagaInstance.objects.count() == 1


@pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)
def test_request_whose_first_copy_is_not_committed_yet_is_in_progress(ada: Shopper, two_mugs: Cart) -> None:
    with transaction.atomic(using="orchestration"):
        assert ada.check_out(two_mugs, key="k-1").status_code == 202
        (response,) = in_threads([lambda: ada.check_out(two_mugs, key="k-1")])
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_key_in_progress")
    assert response["Retry-After"] == "1"
    assert ada.check_out(two_mugs, key="k-1").status_code == 202


@pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)
def test_accepted_key_is_known_also_while_another_copy_is_under_way(ada: Shopper, two_mugs: Cart) -> None:
    first = ada.check_out(two_mugs, key="k-1").json()
    with transaction.atomic(using="orchestration"), connections["orchestration"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{ada.id}\nk-1"])
        (response,) = in_threads([lambda: ada.check_out(two_mugs, key="k-1")])
    assert (response.status_code, response.json()) == (202, first)


def test_price_that_was_never_accepted_is_reported_although_others_were(ada: Shopper, two_mugs: Cart) -> None:
    ada.check_out(two_mugs, key="k-1")
    two_mugs["lines"][0]["sku"] = "NIL"
    assert ada.check_out(two_mugs, key="k-2").json()["code"] == "validation_failed"
    assert ada.check_out(two_mugs, key="k-1").json()["code"] == "idempotency_key_reused"
