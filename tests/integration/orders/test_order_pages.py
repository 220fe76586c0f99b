"""The admin's page of an order, and the pages on which staff change it."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from orchestration.contracts.order_changes import ChangeKind
from orchestration.contracts.values import Line
from orchestration.engine import dispatch, engine
from orchestration.models import SagaInstance
from orchestration.protocol.events import StepRefused
from orders.api import change_start
from orders.models import Order, ReturnRequest
from orders.pages import change
from tests.integration.api.conftest import EVERY_DATABASE
from tests.support.placed_orders import changed, closed, opened, placed, read

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

ORDERS = "/admin/orders/order/"
PERMISSIONS = ("dispatch_order", "refund_order", "cancel_order", "receive_return", "view_order")


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Accepted changes stay where they are, and no page waits for them."""
    monkeypatch.setattr(change, "DECIDED_WITHIN", timedelta())
    dispatch.breaker.open(math.inf)
    yield
    dispatch.breaker.close()


@pytest.fixture
def hire() -> Callable[..., Client]:
    def hire(*permissions: str) -> Client:
        user = User.objects.create_user("kim", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return hire


@pytest.fixture
def kim(hire: Callable[..., Client]) -> Client:
    return hire(*PERMISSIONS)


@pytest.fixture
def order() -> Order:
    """Three mugs at £9.99 and a tea at £3.50."""
    return read(placed(Line("MUG-01", 3, 999), Line("TEA-01", 1, 350)))


@pytest.fixture
def returned(order: Order) -> ReturnRequest:
    """A request to send two mugs of three dispatched ones back."""
    changed(order.pk, ChangeKind.DISPATCH, ("MUG-01", 3))
    return ReturnRequest.objects.create(
        id=uuid4(),
        order=order,
        lines=[{"sku": "MUG-01", "quantity": 2}],
        reason="too big",
        requested_by="customer",
        idempotency_key="k",
        request_hash="",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )


def page_of(order: Order) -> str:
    return f"{ORDERS}{order.pk}/change/"


def new_change(order: Order, verb: str) -> str:
    return f"{ORDERS}{order.pk}/changes/{verb}/"


def entered(page: Any, **entered: Any) -> dict[str, Any]:
    """What a browser sends of the page's form after something was entered."""
    form = page.context["form"]
    fields = {bound.name: bound.value() for bound in form if bound.value() is not None}
    look = page.context["look"]
    return {**fields, "looked_at": look.signature if look else "", **entered}


def confirm(client: Client, path: str, **fields: Any) -> Any:
    """Enter the fields, look at the preview, and confirm it."""
    page = client.post(path, entered(client.get(path), look="1", **fields))
    return client.post(path, entered(page, confirm="1", **fields))


def words(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_order_s_page_shows_its_lines_money_and_changes(kim: Client, order: Order) -> None:
    changed(order.pk, ChangeKind.REFUND, ("MUG-01", 1))
    shown = words(kim.get(page_of(order)))
    assert "33.47 GBP, of which 9.99 GBP given back" in shown
    assert "refund confirmed 9.99 GBP 1 of MUG-01 kim: why" in shown
    assert order.tracking_number in shown


def test_order_s_page_says_how_it_was_paid(kim: Client, order: Order) -> None:
    Order.objects.update(total_minor=3000, discount_minor=347, credit_minor=1000, coupon="TEA10")
    shown = words(kim.get(page_of(order)))
    assert "Sum of the lines 33.47 GBP Discount by TEA10 3.47 GBP" in shown
    assert "Paid by store credit 10.00 GBP Paid by card 20.00 GBP" in shown


@pytest.mark.parametrize(
    ("columns", "state", "money_back"),
    [
        ({"parked": True}, "waits for staff", "0.00 GBP given back or being given back"),
        ({}, "under way", "0.00 GBP given back or being given back"),
        ({"phase": "completed", "due_at": None, "ended_at": datetime.now(UTC)}, "confirmed", "0.00 GBP given back "),
    ],
)
def test_decided_change_is_confirmed_only_when_its_saga_has_ended(
    hire: Callable[..., Client], order: Order, columns: dict[str, Any], state: str, money_back: str
) -> None:
    client = hire(*PERMISSIONS, "view_sagainstance")
    confirm(client, new_change(order, "refund"), amount="5.00", reason="scratched")
    SagaInstance.objects.update(**({"phase": "finishing", "in_flight": False} | columns))
    page = client.get(page_of(order))
    assert f"refund {state} 5.00 GBP" in words(page)
    assert money_back in words(page)
    assert ("or being given back" in words(page)) == (state != "confirmed")
    saga = SagaInstance.objects.get()
    links = page.content.decode().count(f"/orchestration/sagainstance/{saga.pk}/change/")
    assert links == (2 if state == "waits for staff" else 1)


def test_change_that_holds_the_order_is_named_above_the_buttons(hire: Callable[..., Client], order: Order) -> None:
    client = hire(*PERMISSIONS, "view_sagainstance")
    assert "holds this order" not in words(client.get(page_of(order)))
    change = opened(order.pk, ChangeKind.REFUND, ("MUG-01", 1))
    page = client.get(page_of(order))
    assert "The refund that kim asked for holds this order. A new change waits" in words(page)
    assert "is refused after 30 s. Dispatch" in words(page)
    assert f"/orchestration/sagainstance/{change.saga_id}/change/" in page.content.decode()
    closed(change)
    assert "holds this order" not in words(client.get(page_of(order)))


def test_buttons_are_those_that_the_order_and_the_user_s_permissions_allow(
    hire: Callable[..., Client], order: Order
) -> None:
    client = hire("view_order", "refund_order", "cancel_order")

    def buttons() -> list[str]:
        return [meant.verb for meant, _ in client.get(page_of(order)).context["buttons"]]

    assert buttons() == ["refund", "cancel"]
    changed(order.pk, ChangeKind.DISPATCH, ("MUG-01", 1))
    assert buttons() == ["refund"]
    Order.objects.update(status="cancelled")
    assert buttons() == []


@pytest.mark.parametrize("verb", ["dispatch", "refund", "cancel"])
def test_change_needs_its_permission(hire: Callable[..., Client], order: Order, verb: str) -> None:
    client = hire(*(each for each in PERMISSIONS if each != f"{verb}_order"))
    assert client.get(new_change(order, verb)).status_code == 403
    assert client.post(new_change(order, verb), {"reason": "x", "confirm": "1"}).status_code == 403


def test_receiving_needs_its_permission(hire: Callable[..., Client], returned: ReturnRequest) -> None:
    client = hire("dispatch_order", "refund_order", "cancel_order", "view_order")
    assert client.get(f"{ORDERS}returns/{returned.pk}/receive/").status_code == 403
    assert "Receive" not in words(client.get(page_of(returned.order)))


def test_preview_says_what_a_refund_does_and_changes_nothing(kim: Client, order: Order) -> None:
    page = kim.post(new_change(order, "refund"), {"key": "k", "amount": "5.00", "refund_to": "payment", "look": "1"})
    assert page.context["look"].will == [
        "No units move.",
        "5.00 GBP is given back the way it was paid. This cannot be undone.",
        "After that, 28.47 GBP can still be given back.",
    ]
    assert not SagaInstance.objects.exists()


def test_confirmed_refund_is_that_of_the_api(kim: Client, order: Order) -> None:
    response = confirm(kim, new_change(order, "refund"), amount="5.00", reason="scratched", refund_to="credit")
    assert (response.status_code, response["Location"]) == (302, page_of(order))
    saga = SagaInstance.objects.get()
    assert saga.definition == "refund_order.v1"
    asked = {name: saga.request[name] for name in ("amount_minor", "refund_to", "reason", "requested_by", "lines")}
    assert asked == {
        "amount_minor": 500,
        "refund_to": "credit",
        "reason": "scratched",
        "requested_by": "kim",
        "lines": [],
    }
    assert "Refund: under way" in words(kim.get(page_of(order)))


def test_confirmed_twice_it_is_one_change(kim: Client, order: Order) -> None:
    page = kim.get(new_change(order, "cancel"))
    sent = entered(page, reason="fraud", confirm="1")
    assert [kim.post(new_change(order, "cancel"), sent).status_code for _ in range(2)] == [302, 302]
    assert SagaInstance.objects.get().request["reason"] == "fraud"


def test_units_of_lines_are_dispatched_in_a_further_parcel(kim: Client, order: Order) -> None:
    path = new_change(order, "dispatch")
    assert {name: field.initial for name, field in kim.get(path).context["form"].fields.items() if "units" in name} == {
        "units_0": 3,
        "units_1": 1,
    }
    confirm(kim, path, units_0="2", units_1="", parcel_number="P-2", reason="two left")
    request = SagaInstance.objects.get().request
    assert (request["kind"], request["lines"], request["parcel_number"]) == (
        "dispatch",
        [{"sku": "MUG-01", "quantity": 2}],
        "P-2",
    )


def test_received_return_has_the_requested_units(kim: Client, returned: ReturnRequest) -> None:
    assert "2 of MUG-01 requested customer: too big" in words(kim.get(page_of(returned.order)))
    confirm(kim, f"{ORDERS}returns/{returned.pk}/receive/", reason="all is well")
    request = SagaInstance.objects.get().request
    assert (request["kind"], request["lines"], request["return_id"]) == (
        "return",
        [{"sku": "MUG-01", "quantity": 2}],
        str(returned.pk),
    )


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"amount": "0"}, "greater than or equal to 0.01"),
        ({"amount": "1.005"}, "no more than 2 decimal places"),
        ({"amount": "5", "units_0": "1"}, "not both"),
        ({"units_0": "4"}, "less than or equal to 3"),
        ({"amount": "100"}, "more than what is left"),
        ({"reason": "..."}, "at least one letter or digit"),
        ({"reason": "4242 4242 4242 4242"}, "holds a card number"),
        ({"reason": ""}, "This field is required"),
        ({"refund_to": "cash"}, "not one of the available choices"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(
    kim: Client, order: Order, fields: dict[str, str], complaint: str
) -> None:
    response = confirm(kim, new_change(order, "refund"), **{"reason": "scratched", **fields})
    assert response.status_code == 200
    assert complaint in words(response)
    assert not SagaInstance.objects.exists()


def test_nothing_to_dispatch_is_named(kim: Client, order: Order) -> None:
    response = confirm(kim, new_change(order, "dispatch"), units_0="0", units_1="", reason="x")
    assert "Enter at least one unit" in words(response)


def test_what_was_not_looked_at_is_not_done(kim: Client, order: Order) -> None:
    path = new_change(order, "refund")
    response = kim.post(path, entered(kim.get(path), amount="5", reason="scratched", confirm="1"))
    assert (response.status_code, "Check this preview" in words(response)) == (409, True)
    assert not SagaInstance.objects.exists()


def test_order_that_has_changed_since_the_look_is_looked_at_again(kim: Client, order: Order) -> None:
    page = kim.get(new_change(order, "refund"))
    changed(order.pk, ChangeKind.REFUND, amount_minor=100)
    response = kim.post(new_change(order, "refund"), entered(page, reason="scratched", confirm="1"))
    assert response.status_code == 409
    assert "32.47 GBP is given back" in words(response)


def test_what_the_order_does_not_allow_is_said_instead_of_a_button(kim: Client, order: Order) -> None:
    changed(order.pk, ChangeKind.DISPATCH, ("MUG-01", 1))
    page = kim.get(new_change(order, "cancel"))
    assert "Not possible" in words(page)
    assert "A parcel of the order was handed over" in words(page)
    assert "Do it" not in words(page)


def test_outcome_that_is_known_in_time_is_told(kim: Client, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: Callable[..., Any] = change_start.start_change

    def start_and_refuse(*args: Any, **options: Any) -> Any:
        accepted = starts(*args, **options)
        busy = StepRefused("open_change", {"code": "resource_busy", "detail": "", "facts": {}})
        engine.apply(accepted.id, busy, now=datetime.now(UTC))
        return accepted

    monkeypatch.setattr(change, "start_change", start_and_refuse)
    confirm(kim, new_change(order, "cancel"), reason="fraud")
    shown = words(kim.get(page_of(order)))
    assert "Cancel: refused. Another change of this order is under way." in shown
    assert "kim: fraud Refused: Another change of this order is under way." in shown


@pytest.mark.parametrize("path", [f"{UUID(int=7)}/change/", "nonsense/change/"])
def test_order_that_is_not_there_leads_to_the_list(kim: Client, path: str) -> None:
    response = kim.get(ORDERS + path)
    assert (response.status_code, response["Location"]) == (302, ORDERS)


@pytest.mark.parametrize("path", [f"{UUID(int=7)}/changes/refund/", f"returns/{UUID(int=7)}/receive/"])
def test_change_of_what_is_not_there_is_not_found(kim: Client, path: str) -> None:
    assert kim.get(ORDERS + path).status_code == 404


@pytest.mark.parametrize("verb", ["receive", "undo"])
def test_unknown_change_is_not_found(kim: Client, order: Order, verb: str) -> None:
    assert kim.get(new_change(order, verb)).status_code == 404


def test_order_is_only_shown_to_staff_who_may_view_orders(hire: Callable[..., Client], order: Order) -> None:
    assert hire("refund_order").get(page_of(order)).status_code == 403


def test_amounts_have_the_digits_of_their_currency(kim: Client, order: Order) -> None:
    Order.objects.update(currency="JPY")
    confirm(kim, new_change(order, "refund"), amount="500", reason="scratched")
    assert SagaInstance.objects.get().request["amount_minor"] == 500
