"""Changes of placed orders over HTTP: cancellations, refunds and dispatches, and their outcomes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestration.contracts.codec import decode
from orchestration.contracts.order_changes import ChangeKind, ChangeRequested, open_change
from orchestration.contracts.values import Line
from orchestration.engine import engine, selectors
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.participant.refusals import Refusal
from orchestration.protocol.events import ChainCompleted, StepRefused
from orchestration.sagas import definition_of
from orders.api.changes import ChangePages
from orders.change_rules import plan_change
from orders.models import Order, OrderLine
from tests.integration.api.conftest import BASE, EVERY_DATABASE, Shopper, pointers
from tests.support.placed_orders import changed, placed, read

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

OTHER_ID = UUID(int=7)


def refund_of(amount_minor: Any, currency: str = "GBP") -> dict[str, Any]:
    return {"amount": {"amount_minor": amount_minor, "currency": currency}, "reason": "scratched"}


def line(sku: str, quantity: int) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity}


FIVE_POUNDS = refund_of(500)


@pytest.fixture
def kim(hire: Callable[..., Shopper]) -> Shopper:
    """A member of staff who may do everything to orders."""
    return hire("kim", "orders.cancel_order", "orders.refund_order", "orders.dispatch_order", "orders.receive_return")


def ask(who: Shopper, path: str, body: Any = None, key: str = "", **headers: str) -> Any:
    """POST a body, or none, with a key."""
    sent = b"" if body is None else json.dumps(body)
    headers = {"Idempotency-Key": key or str(uuid4()), **headers}
    return who.post(path, data=sent, content_type="application/json", headers=headers)


def look(who: Shopper, response: Any) -> dict[str, Any]:
    return dict(who.get(response["Location"].removeprefix(BASE)).json())


def refuse(response: Any, **refusal: Any) -> None:
    """Let the saga of the accepted change be refused by its first step."""
    event = StepRefused(open_change.step, {"detail": "", "facts": {}, **refusal})
    engine.apply(UUID(response.json()["id"]), event, now=datetime.now(UTC))


def succeed(response: Any) -> None:
    saga = SagaInstance.objects.get(pk=response.json()["id"])
    steps = [step.name for step in definition_of(saga.definition).steps]
    now = datetime.now(UTC)
    engine.apply(saga.pk, ChainCompleted(tuple((step, now) for step in steps)), now=now)


def test_customer_s_cancellation_is_accepted_and_says_where_to_look(ada: Shopper, order: Order) -> None:
    response = ask(ada, f"/orders/{order.pk}/cancel")
    accepted = response.json()
    assert response.status_code == 202
    assert response["Location"] == f"{BASE}/orders/{order.pk}/changes/{accepted['id']}"
    assert response["Retry-After"] == "1"
    assert accepted.keys() == {"id", "order_id", "kind", "status", "created_at"}
    assert (accepted["kind"], accepted["status"]) == ("cancel", "processing")
    change = look(ada, response)
    assert change.items() >= accepted.items()
    assert [step["name"] for step in change["steps"]][:2] == ["open_change", "stop_parcel"]
    assert (change["requested_by"], change["failure"], change["decided_at"]) == ("customer", None, None)


def test_saga_of_a_change_knows_what_was_asked(kim: Shopper, ada: Shopper, order: Order) -> None:
    asked = {"lines": [{"sku": "MUG-01", "quantity": 2}], "reason": "scratched", "refund_to": "credit"}
    change_id = ask(kim, f"/orders/{order.pk}/refunds", asked, key="k-1").json()["id"]
    saga = selectors.saga(UUID(change_id))
    assert saga is not None
    assert (saga.definition, saga.customer_id, saga.order_id) == ("refund_order.v1", ada.id, order.pk)
    assert saga.request == {
        "order_id": str(order.pk),
        "customer_id": ada.id,
        "checkout_id": str(order.saga_id),
        "kind": "refund",
        "lines": [{"sku": "MUG-01", "quantity": 2}],
        "amount_minor": None,
        "currency": "GBP",
        "refund_to": "credit",
        "reason": "scratched",
        "requested_by": "kim",
    }
    assert not saga.idempotency_key.isascii()  # so that no key of a checkout is like it


def asked_by(response: Any) -> str:
    saga = selectors.saga(UUID(response.json()["id"]))
    assert saga is not None
    return str(saga.request["requested_by"])


def test_staff_refund_and_dispatch_their_own_orders_under_their_own_name(kim: Shopper) -> None:
    order_id = placed(Line("MUG-01", 3, 999), customer_id=kim.id)
    assert asked_by(ask(kim, f"/orders/{order_id}/refunds", FIVE_POUNDS)) == "kim"
    assert asked_by(ask(kim, f"/orders/{order_id}/dispatches")) == "kim"
    assert asked_by(ask(kim, f"/orders/{order_id}/cancel")) == "customer"


def test_staff_whose_user_name_is_customer_are_not_taken_for_the_customer(
    hire: Callable[..., Shopper], order: Order
) -> None:
    named_customer = hire("customer", "orders.cancel_order")
    refused = ask(named_customer, f"/orders/{order.pk}/cancel")
    assert pointers(refused) == [("/reason", "required")]
    assert asked_by(ask(named_customer, f"/orders/{order.pk}/cancel", {"reason": "why"})) == "customer (staff)"


@pytest.mark.parametrize("path", ["cancel", "refunds", "dispatches"])
def test_request_without_a_key_is_refused(kim: Shopper, order: Order, path: str) -> None:
    response = kim.post(
        f"/orders/{order.pk}/{path}", data=json.dumps({"reason": "why"}), content_type="application/json"
    )
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")


def test_request_without_a_body_is_one_with_an_empty_object(ada: Shopper, order: Order) -> None:
    headers = {"Authorization": f"Token {ada.token}", "Idempotency-Key": "k-1"}
    bare = ada.client.generic("POST", f"{BASE}/orders/{order.pk}/cancel", headers=headers)
    assert (bare.status_code, bare.json()) == (202, ask(ada, f"/orders/{order.pk}/cancel", {}, key="k-1").json())


def test_same_key_and_body_get_the_same_answer_also_when_the_order_has_changed(ada: Shopper, order: Order) -> None:
    first = ask(ada, f"/orders/{order.pk}/cancel", {}, key="k-1")
    Order.objects.update(status="cancelled")
    again = ask(ada, f"/orders/{order.pk}/cancel", key="k-1")
    assert (again.status_code, again.json(), again["Location"]) == (202, first.json(), first["Location"])
    assert ask(ada, f"/orders/{order.pk}/cancel", {}, key="k-2").json()["code"] == "order_cancelled"


def test_same_key_with_another_body_names_the_change_it_stands_for(kim: Shopper, order: Order) -> None:
    first = ask(kim, f"/orders/{order.pk}/refunds", FIVE_POUNDS, key="k-1")
    response = ask(kim, f"/orders/{order.pk}/refunds", {"nonsense": 1}, key="k-1")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert (response.json()["change_id"], response["Location"]) == (first.json()["id"], first["Location"])


def test_key_counts_for_a_person_an_order_and_a_kind_of_change(ada: Shopper, kim: Shopper, order: Order) -> None:
    body = {"reason": "why"}
    asked = [(ada, "cancel"), (kim, "cancel"), (kim, "refunds"), (kim, "dispatches")]
    responses = [ask(who, f"/orders/{order.pk}/{path}", body, key="k-1") for who, path in asked]
    assert [response.status_code for response in responses] == [202] * 4
    assert len({response.json()["id"] for response in responses}) == 4


def test_order_of_another_customer_is_not_found(ada: Shopper, grace: Shopper, order: Order) -> None:
    change_id = ask(ada, f"/orders/{order.pk}/cancel").json()["id"]
    refused = [
        ask(grace, f"/orders/{order.pk}/cancel"),
        ask(grace, f"/orders/{order.pk}/returns", {"reason": "why"}),
        grace.get(f"/orders/{order.pk}"),
        grace.get(f"/orders/{order.pk}/changes"),
        grace.get(f"/orders/{order.pk}/returns"),
        grace.get(f"/orders/{order.pk}/changes/{change_id}"),
    ]
    assert {(response.status_code, response.json()["code"]) for response in refused} == {(404, "not_found")}
    assert SagaInstance.objects.count() == 1


def test_change_of_another_order_is_not_found(ada: Shopper, order: Order) -> None:
    change_id = ask(ada, f"/orders/{order.pk}/cancel").json()["id"]
    SagaInstance.objects.update(order_id=OTHER_ID)
    assert ada.get(f"/orders/{order.pk}/changes/{change_id}").status_code == 404
    assert ada.get(f"/orders/{order.pk}/changes/{OTHER_ID}").status_code == 404


@pytest.mark.parametrize(("path", "permission"), [("refunds", "refund_order"), ("dispatches", "dispatch_order")])
def test_only_staff_with_the_permission_may_refund_and_dispatch(
    ada: Shopper, hire: Callable[..., Shopper], order: Order, path: str, permission: str
) -> None:
    others = {"cancel_order", "refund_order", "dispatch_order", "receive_return", "view_order"} - {permission}
    for who in (ada, hire("almost", *(f"orders.{each}" for each in others))):
        response = ask(who, f"/orders/{order.pk}/{path}", {"reason": "why"})
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert not SagaInstance.objects.exists()
    assert ask(hire("kim", f"orders.{permission}"), f"/orders/{order.pk}/{path}", {"reason": "why"}).status_code == 202


def test_staff_with_the_permission_cancel_for_a_customer_and_give_a_reason(
    hire: Callable[..., Shopper], order: Order
) -> None:
    assert ask(hire("reader", "orders.view_order"), f"/orders/{order.pk}/cancel", {"reason": "why"}).status_code == 404
    kim = hire("kim", "orders.cancel_order")
    refused = ask(kim, f"/orders/{order.pk}/cancel")
    assert (refused.status_code, pointers(refused)) == (422, [("/reason", "required")])
    assert look(kim, ask(kim, f"/orders/{order.pk}/cancel", {"reason": "fraud"}))["requested_by"] == "kim"


def test_customer_sees_neither_name_nor_reason_of_staff(ada: Shopper, kim: Shopper, order: Order) -> None:
    response = ask(kim, f"/orders/{order.pk}/refunds", {"reason": "a difficult customer"})
    seen, known = look(ada, response), look(kim, response)
    assert (seen["requested_by"], seen["reason"]) == ("staff", "")
    assert (known["requested_by"], known["reason"]) == ("kim", "a difficult customer")


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("refunds", refund_of(0), "/amount/amount_minor min_value"),
        ("refunds", refund_of(-5), "/amount/amount_minor min_value"),
        ("refunds", refund_of(1.5), "/amount/amount_minor invalid"),
        ("refunds", refund_of("5"), "/amount/amount_minor invalid"),
        ("refunds", refund_of(True), "/amount/amount_minor invalid"),
        ("refunds", refund_of(5, "EUR"), "/amount/currency currency_mismatch"),
        ("refunds", {"reason": "x", "amount": 5}, "/amount invalid"),
        ("refunds", {**FIVE_POUNDS, "lines": [line("MUG-01", 1)]}, "/amount contradiction"),
        ("refunds", {}, "/reason required"),
        ("refunds", {"reason": "..."}, "/reason blank"),
        ("refunds", {"reason": "4242 4242 4242 4242"}, "/reason card_number"),
        ("refunds", {"reason": "x", "refund_to": "cash"}, "/refund_to invalid_choice"),
        ("refunds", {"reason": "x", "lines": []}, "/lines min_length"),
        ("refunds", {"reason": "x", "lines": [line("MUG-01", 0)]}, "/lines/0/quantity min_value"),
        ("refunds", {"reason": "x", "lines": [line("LAMP-01", 1)]}, "/lines/0/sku unknown_sku"),
        ("dispatches", {"lines": [line("MUG-01", 1), line("L", 1)]}, "/lines/1/sku unknown_sku"),
        ("dispatches", {"lines": [line("MUG-01", 4)]}, "/lines/0/quantity quantity_exceeds_ordered"),
        ("dispatches", {"lines": [line("MUG-01", 2)] * 2}, "/lines/0/quantity quantity_exceeds_ordered"),
        ("dispatches", {"parcel_number": "a\nb"}, "/parcel_number control_character"),
        ("dispatches", {"parcel_number": "_"}, "/parcel_number invalid"),
        ("dispatches", {"amount": 5}, "/amount unknown_field"),
        ("cancel", {"lines": []}, "/lines unknown_field"),
        ("cancel", [], " invalid"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_and_named(kim: Shopper, order: Order, path: str, body: Any, expected: str) -> None:
    response = ask(kim, f"/orders/{order.pk}/{path}", body)
    assert response.status_code == 422
    assert expected in [f"{pointer} {code}" for pointer, code in pointers(response)]
    assert not SagaInstance.objects.exists()


def test_number_of_a_parcel_may_look_like_a_card_number(kim: Shopper, order: Order) -> None:
    response = ask(kim, f"/orders/{order.pk}/dispatches", {"parcel_number": "4242424242424242"})
    assert look(kim, response)["parcel_number"] == "4242424242424242"


def dispatched(order: Order) -> None:
    OrderLine.objects.update(dispatched=1)


def cancelled(order: Order) -> None:
    Order.objects.update(status="cancelled")


def refunded(order: Order) -> None:
    Order.objects.update(refunded_minor=order.total_minor - 400)


def refunded_in_full(order: Order) -> None:
    Order.objects.update(refunded_minor=order.total_minor)


REFUSALS: list[tuple[str, Any, Callable[[Order], None], dict[str, Any]]] = [
    ("cancel", {"reason": "x"}, dispatched, {"status": 409, "code": "already_dispatched"}),
    ("cancel", {"reason": "x"}, cancelled, {"status": 409, "code": "order_cancelled"}),
    ("dispatches", {}, cancelled, {"status": 409, "code": "order_cancelled"}),
    ("refunds", {"reason": "x"}, refunded_in_full, {"status": 409, "code": "nothing_left"}),
    (
        "refunds",
        FIVE_POUNDS,
        refunded,
        {
            "status": 422,
            "code": "refund_exceeds_paid",
            "refundable": {"amount_minor": 400, "currency": "GBP"},
            "errors": [
                {
                    "pointer": "/amount",
                    "code": "refund_exceeds_paid",
                    "detail": "This is more than what is left of the order's money.",
                }
            ],
        },
    ),
    (
        "refunds",
        {"lines": [{"sku": "MUG-01", "quantity": 1}], "reason": "x"},
        refunded,
        {
            "status": 422,
            "code": "refund_exceeds_paid",
            "errors": [
                {
                    "pointer": "/lines",
                    "code": "refund_exceeds_paid",
                    "detail": "This is more than what is left of the order's money.",
                }
            ],
        },
    ),
    (
        "dispatches",
        {"lines": [{"sku": "MUG-01", "quantity": 3}]},
        dispatched,
        {
            "status": 422,
            "code": "quantity_exceeds_ordered",
            "errors": [
                {"pointer": "/lines/0/quantity", "code": "quantity_exceeds_ordered", "detail": "2 are left."}
            ],
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "happens", "expected"), REFUSALS)
def test_what_the_order_does_not_allow_is_refused_at_once(
    kim: Shopper, order: Order, path: str, body: Any, happens: Callable[[Order], None], expected: dict[str, Any]
) -> None:
    happens(order)
    response = ask(kim, f"/orders/{order.pk}/{path}", body)
    assert response.json().items() >= expected.items()
    assert response.status_code == expected["status"]
    assert not SagaInstance.objects.exists()


@pytest.mark.parametrize(("path", "body", "happens", "expected"), REFUSALS)
def test_refusal_by_the_saga_is_the_same_problem(
    kim: Shopper, order: Order, path: str, body: Any, happens: Callable[[Order], None], expected: dict[str, Any]
) -> None:
    accepted = ask(kim, f"/orders/{order.pk}/{path}", body, key="k-1")
    happens(order)
    at_once = ask(kim, f"/orders/{order.pk}/{path}", body).json()
    saga = SagaInstance.objects.get()
    refuse_as_orders_would(saga)
    response = ask(kim, f"/orders/{order.pk}/{path}", body, key="k-1", Prefer="wait=1")
    assert (response.status_code, response.json()) == (expected["status"], at_once)
    assert response["Location"] == accepted["Location"]
    change = look(kim, accepted)
    assert (change["status"], change["failure"]["code"]) == ("failed", expected["code"])
    assert change["decided_at"] is not None


def refuse_as_orders_would(saga: SagaInstance) -> None:
    """Let the order be changed by the rules of orders, and the saga be refused as they say."""
    asked = decode(ChangeRequested, saga.request)
    with pytest.raises(Refusal) as refused:
        plan_change(read(asked.order_id), asked.kind, asked.lines, asked.amount_minor)
    event = StepRefused(open_change.step, refused.value.as_json())
    engine.apply(saga.pk, event, now=datetime.now(UTC))


def test_busy_order_is_said_without_the_holder(ada: Shopper, order: Order) -> None:
    accepted = ask(ada, f"/orders/{order.pk}/cancel", key="k-1")
    facts = {"resource": "order", "waited_s": 30, "holder": "not-for-customers"}
    refuse(accepted, code="resource_busy", detail="saga not-for-customers holds it", facts=facts)
    response = ask(ada, f"/orders/{order.pk}/cancel", key="k-1", Prefer="wait=1")
    assert (response.status_code, response.json()["code"], response["Retry-After"]) == (409, "order_busy", "30")
    change = look(ada, accepted)
    assert change["failure"]["code"] == "order_busy"
    assert "not-for-customers" not in response.text + json.dumps(change)


@pytest.mark.parametrize(
    ("refusal", "status", "code", "pointers"),
    [
        ("already_handed_over", 409, "already_dispatched", []),
        ("parcel_stopped", 409, "order_cancelled", []),
        ("no_parcel", 422, "no_parcel", ["/parcel_number"]),
        ("parcel_number_taken", 422, "parcel_number_taken", ["/parcel_number"]),
        ("quantity_exceeds_dispatched", 422, "quantity_exceeds_ordered", ["/lines/quantity"]),
    ],
)
def test_refusal_by_another_service_is_shown_as_one_of_the_order(
    kim: Shopper, order: Order, refusal: str, status: int, code: str, pointers: list[str]
) -> None:
    accepted = ask(kim, f"/orders/{order.pk}/dispatches", key="k-1")
    refuse(accepted, code=refusal, detail="Refused.")
    response = ask(kim, f"/orders/{order.pk}/dispatches", key="k-1", Prefer="wait=1")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert [each["pointer"] for each in response.json()["errors"]] == pointers


def test_refusal_that_has_no_problem_of_its_own_is_a_conflict_with_its_code(ada: Shopper, order: Order) -> None:
    accepted = ask(ada, f"/orders/{order.pk}/cancel", key="k-1")
    refuse(accepted, code="change_superseded", detail="Another change has got the lock.")
    response = ask(ada, f"/orders/{order.pk}/cancel", key="k-1", Prefer="wait=1")
    assert (response.status_code, response.json()["code"]) == (409, "change_refused")
    assert (response.json()["refusal"], response.json()["detail"]) == (
        "change_superseded",
        "Another change has got the lock.",
    )


def test_change_that_its_staff_ended_is_shown_as_failed_and_is_no_problem(ada: Shopper, order: Order) -> None:
    accepted = ask(ada, f"/orders/{order.pk}/cancel", key="k-1")
    SagaInstance.objects.update(phase="compensating", failure={"code": "cancelled", "detail": "by staff"})
    saga = SagaInstance.objects.get()
    SagaLogEntry.objects.create(
        saga=saga, sequence=9, kind="refused", phase="compensating", token=1, at=datetime.now(UTC)
    )
    response = ask(ada, f"/orders/{order.pk}/cancel", key="k-1", Prefer="wait=1")
    assert (response.status_code, response.json()["status"]) == (200, "failed")
    assert response.json() == look(ada, accepted)


def test_preference_for_waiting_answers_with_the_decided_change(kim: Shopper, order: Order) -> None:
    accepted = ask(kim, f"/orders/{order.pk}/refunds", FIVE_POUNDS, key="k-1")
    succeed(accepted)
    response = ask(kim, f"/orders/{order.pk}/refunds", FIVE_POUNDS, key="k-1", Prefer="wait=2")
    assert (response.status_code, response["Preference-Applied"]) == (200, "wait=2")
    assert response["Location"] == accepted["Location"]
    assert response.json() == look(kim, accepted)
    assert (response.json()["status"], response.json()["amount"]["amount_minor"]) == ("confirmed", 500)


def test_changes_are_listed_newest_first_with_those_whose_saga_is_gone(
    ada: Shopper, kim: Shopper, order: Order
) -> None:
    old = changed(order.pk, ChangeKind.REFUND, ("MUG-01", 1), saga_id=UUID(int=1)).saga_id
    waiting = ask(ada, f"/orders/{order.pk}/cancel").json()["id"]
    busy = ask(kim, f"/orders/{order.pk}/dispatches", {})
    refuse(busy, code="resource_busy")
    listed = ada.get(f"/orders/{order.pk}/changes").json()
    assert [(each["id"], each["kind"], each["status"]) for each in listed["results"]] == [
        (busy.json()["id"], "dispatch", "failed"),
        (waiting, "cancel", "processing"),
        (str(old), "refund", "confirmed"),
    ]
    assert listed["results"][2]["amount"] == {"amount_minor": 999, "currency": "GBP"}
    assert listed["results"][2]["lines"] == [{"sku": "MUG-01", "quantity": 1}]
    assert ada.get(f"/orders/{order.pk}/changes/{old}").json()["steps"] == []


def test_opened_change_is_listed_once(kim: Shopper, order: Order) -> None:
    change_id = ask(kim, f"/orders/{order.pk}/refunds", {"reason": "why"}).json()["id"]
    changed(order.pk, ChangeKind.REFUND, saga_id=UUID(change_id))
    [shown] = kim.get(f"/orders/{order.pk}/changes").json()["results"]
    assert (shown["id"], shown["amount"]["amount_minor"]) == (change_id, order.total_minor)


def test_list_of_changes_has_pages(ada: Shopper, kim: Shopper, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChangePages, "page_size", 2)
    changes = [str(changed(order.pk, ChangeKind.REFUND, amount_minor=1, saga_id=UUID(int=n)).saga_id) for n in (1, 2)]
    changes += [ask(kim, f"/orders/{order.pk}/refunds", FIVE_POUNDS).json()["id"] for _ in range(3)]
    pages, path = [], f"/orders/{order.pk}/changes"
    while path:
        page = ada.get(path).json()
        pages.append([each["id"] for each in page["results"]])
        path = (page["next"] or "").partition(BASE)[2]
    newest_first = sorted(changes, reverse=True)
    assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    back = ada.get(page["previous"].partition(BASE)[2]).json()
    assert [each["id"] for each in back["results"]] == newest_first[2:4]
    assert ada.get(f"/orders/{order.pk}/changes?cursor=x").json()["code"] == "invalid_cursor"


def test_order_shows_what_was_changed_to_its_customer_and_to_staff(
    ada: Shopper, hire: Callable[..., Shopper], order: Order
) -> None:
    changed(order.pk, ChangeKind.DISPATCH, ("MUG-01", 2))
    changed(order.pk, ChangeKind.RETURN, ("MUG-01", 1))
    shown = ada.get(f"/orders/{order.pk}").json()
    assert (shown["status"], shown["refunded"]) == ("partly_dispatched", {"amount_minor": 999, "currency": "GBP"})
    assert [(line["sku"], line["quantity"], line["dispatched"], line["returned"]) for line in shown["lines"]] == [
        ("MUG-01", 3, 2, 1),
        ("TEA-01", 1, 0, 0),
    ]
    assert hire("reader", "orders.view_order").get(f"/orders/{order.pk}").json() == shown
    assert hire("newcomer").get(f"/orders/{order.pk}").status_code == 404
