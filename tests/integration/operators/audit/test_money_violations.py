"""Q4 seen to fail."""

from collections.abc import Callable
from uuid import UUID

import pytest

from payments.gateways.sandbox.models import LateArrival, Operation
from payments.models import Payment
from tests.integration.operators.audit.conftest import Found
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop


def refund(amount_minor: int) -> None:
    authorised = Operation.objects.get(kind="authorise")
    Operation.objects.create(
        kind="refund", key="key", authorisation=authorised, reference="", amount_minor=amount_minor, currency="GBP"
    )


@pytest.mark.parametrize(
    ("tamper", "kept"),
    [
        (lambda: Operation.objects.filter(kind="capture").delete(), "0.00"),
        (lambda: Operation.objects.filter(kind="capture").update(amount_minor=150), "1.50"),
        (lambda: refund(200), "0.00"),
        (lambda: refund(50), "1.50"),
    ],
)
def test_money_that_the_orders_do_not_account_for_is_found(
    completed: UUID, found: Found, tamper: Callable[[], object], kept: str
) -> None:
    tamper()
    assert f"The gateway has kept {kept} GBP, confirmed orders are worth 2.00 GBP." in found("Q4")


def test_money_in_another_currency_is_found(completed: UUID, found: Found) -> None:
    Operation.objects.update(currency="EUR")
    messages = found("Q4")
    assert "The gateway has kept 2.00 EUR, confirmed orders are worth 0.00 EUR." in messages
    assert "The gateway has kept 0.00 GBP, confirmed orders are worth 2.00 GBP." in messages


@pytest.mark.parametrize(
    "change",
    [
        {"status": "authorised", "capture_id": None, "captured_minor": 0},
        {"refunded_minor": 1},
        {"amount_minor": 201},
        {"captured_minor": 199},
        {"currency": "EUR"},
        {"capture_id": "x"},
    ],
)
def test_a_payment_that_differs_from_the_gateways_books_is_found(
    completed: UUID, found: Found, change: dict[str, object]
) -> None:
    Payment.objects.update(**change)
    [message] = found("Q4")
    assert message.startswith("The gateway's books say ('captured', 200, 'GBP', 'capture_")


def test_a_payment_that_the_gateway_does_not_know_is_found(completed: UUID, found: Found) -> None:
    ours = Payment.objects.get().authorisation_id
    Payment.objects.update(authorisation_id="authorise_unknown")
    assert found("Q4") == [
        "The gateway does not know the payment's authorise_unknown.",
        f"The gateway's {ours} is not in the payments.",
    ]


def test_a_payment_missing_from_ours_is_found(completed: UUID, found: Found) -> None:
    gone = Payment.objects.get().authorisation_id
    Payment.objects.all().delete()
    assert found("Q4") == [f"The gateway's {gone} is not in the payments."]


def test_money_held_after_the_saga_is_found(compensated: UUID, found: Found) -> None:
    Operation.objects.filter(kind="void").delete()
    assert "The gateway holds 1.00 GBP, and no saga is at work on it." in found("Q4")


def test_money_held_by_no_saga_is_found(shop: Shop, found: Found) -> None:
    Operation.objects.create(kind="authorise", key="key", reference="", amount_minor=100, currency="GBP")
    assert found("Q4") == ["The gateway holds 1.00 GBP, and no saga is at work on it."]


def test_money_that_will_be_held_later_is_found(shop: Shop, found: Found) -> None:
    LateArrival.objects.create(
        key="key", fingerprint="", reference="", amount_minor=100, currency="GBP", arrives_at="2099-01-01T00:00Z"
    )
    assert found("Q4") == ["The gateway will hold 1.00 GBP, and no saga is at work on it."]


def test_money_held_for_a_saga_at_work_is_fine(shop: Shop, courier: Courier, found: Found) -> None:
    courier.loses = "schedule_shipment"
    shop.place()
    courier.deliver()
    assert Operation.objects.get().kind == "authorise"
    assert found("Q4") == []
