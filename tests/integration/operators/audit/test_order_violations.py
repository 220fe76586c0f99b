"""A7 and Q5 seen to fail. Two sagas or orders of one customer's key the databases refuse, as the last tests show."""

from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from django.db.models import F

from orchestration.models import SagaInstance
from orders.models import Order, OrderLine
from payments.gateways.sandbox.models import Operation
from payments.models import Payment
from tests.integration.operators.audit.conftest import Found
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop


@pytest.mark.parametrize("column", ["customer_id", "idempotency_key"])
def test_an_order_of_another_key_than_its_saga_is_found(completed: UUID, found: Found, column: str) -> None:
    Order.objects.update(**{column: "another"})
    assert found("A7") == ["The order has another id, customer or key than its saga."]


def test_two_sagas_for_one_order_are_found(completed: UUID, shop: Shop, courier: Courier, found: Found) -> None:
    other = shop.place()
    SagaInstance.objects.filter(pk=other).update(order_id=shop.saga(completed).order_id)
    assert found("A7") == ["2 sagas are for one order."]


def test_a_total_that_is_not_the_sum_of_the_lines_is_found(completed: UUID, found: Found) -> None:
    OrderLine.objects.update(quantity=F("quantity") + 1)
    assert found("Q5") == ["The order's total is 2.00 GBP, its lines add up to 3.00 GBP."]


def test_an_order_without_lines_is_found(completed: UUID, found: Found) -> None:
    OrderLine.objects.all().delete()
    assert found("Q5") == ["The order's total is 2.00 GBP, its lines add up to 0.00 GBP."]


def test_a_total_that_nobody_asked_for_is_found(completed: UUID, found: Found) -> None:
    Order.objects.update(currency="EUR")
    assert "The order's total is 2.00 EUR, the saga asked for 2.00 GBP." in found("Q5")


def test_an_order_of_a_saga_that_asks_for_no_money_is_found(completed: UUID, found: Found) -> None:
    saga = SagaInstance.objects.get()
    request = {name: fact for name, fact in saga.request.items() if name not in ("total_minor", "currency")}
    SagaInstance.objects.update(request=request)
    assert "The order's total is 2.00 GBP, the saga asked for none." in found("Q5")


def test_a_payment_of_another_amount_is_found(completed: UUID, found: Found) -> None:
    Payment.objects.update(amount_minor=201)
    assert found("Q5") == ["The order's total is 2.00 GBP, its payment is of 2.01 GBP."]


def test_a_capture_of_another_amount_is_found(completed: UUID, found: Found) -> None:
    Operation.objects.filter(kind="capture").update(amount_minor=199)
    assert found("Q5") == ["The order's total is 2.00 GBP, the gateway captured 1.99 GBP."]


def test_giving_back_more_than_was_captured_is_found(completed: UUID, found: Found) -> None:
    authorised = Operation.objects.get(kind="authorise")
    Operation.objects.create(
        kind="refund", key="key", authorisation=authorised, reference="", amount_minor=201, currency="GBP"
    )
    assert found("R1") == ["The gateway captured 2.00 GBP and refunded 2.01 GBP."]


def test_the_database_refuses_a_second_saga_of_one_key(completed: UUID, shop: Shop) -> None:
    saga = shop.saga(completed)
    saga.pk = uuid4()
    with pytest.raises(IntegrityError, match="saga_one_per_customer_and_idempotency_key"):
        saga.save(using="orchestration", force_insert=True)


def test_the_database_refuses_a_second_order_of_one_key(completed: UUID) -> None:
    order = Order.objects.get()
    order.id, order.saga_id = uuid4(), uuid4()
    with pytest.raises(IntegrityError, match="order_placed_once_per_customer_and_key"):
        order.save(force_insert=True)
