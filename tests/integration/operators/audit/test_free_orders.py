"""An order of nothing, begun by `checkout.v1`, goes the whole way without the gateway, and the audit knows that."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from orchestration.contracts.codec import encode
from orchestration.contracts.payments import ReverseLeftoverPayment, authorise_payment, reverse_leftover_payment
from orchestration.contracts.values import Line
from orchestration.models import SagaInstance
from orchestration.operators.audit.violations import violations
from orchestration.participant.ledger_store import Call
from orchestration.sagas.checkout_v1 import checkout_v1
from orchestration.testing import step_runner
from payments import repairs, services, tasks
from payments.gateways.sandbox.models import Operation
from payments.models import Payment
from tests.integration.operators.audit.conftest import Found
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop, of_v1


@pytest.fixture
def ordered(shop: Shop) -> Callable[..., UUID]:
    """Starts the saga of an order of one mug that costs nothing."""

    def order(line2: str = "") -> UUID:
        request = replace(of_v1(shop.request(line2=line2)), lines=(Line(shop.sku, 1, 0),), total_minor=0)
        return shop.place(request, saga=checkout_v1)

    return order


@pytest.fixture(autouse=True)
def no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked of the gateway fails the test."""
    for module in (services, repairs):
        monkeypatch.setattr(module, "gateway", lambda: pytest.fail("the gateway is asked"))


def test_free_order_is_placed_and_paid_without_the_gateway(ordered: Callable[..., UUID], courier: Courier) -> None:
    saga_id = ordered()
    assert courier.settle(saga_id) == "completed"
    payment = Payment.objects.get()
    assert (payment.status, payment.amount_minor, payment.authorisation_id) == ("captured", 0, f"free_{saga_id}")
    assert not Operation.objects.exists()
    assert violations() == []


def test_free_order_that_is_refused_later_is_undone_without_the_gateway(
    ordered: Callable[..., UUID], courier: Courier
) -> None:
    assert courier.settle(ordered(line2="carrier_refuse")) == "compensated"
    assert Payment.objects.get().status == "voided"
    assert violations() == []


def test_gateway_that_was_asked_for_a_free_order_is_found(
    ordered: Callable[..., UUID], courier: Courier, found: Found
) -> None:
    saga_id = ordered()
    courier.settle(saga_id)
    key = f"{saga_id}:{authorise_payment.step}:action"
    order_id = str(SagaInstance.objects.get().order_id)
    asked = {"key": key, "reference": order_id, "amount_minor": 0, "currency": "GBP"}
    made = Operation.objects.create(kind="authorise", **asked)
    assert f"The gateway's {made.public_id} is not in the payments." in found("Q4")


def test_what_a_compensated_free_order_has_left_is_put_right_without_the_gateway(
    ordered: Callable[..., UUID], courier: Courier, found: Found
) -> None:
    saga_id = ordered(line2="carrier_refuse")
    courier.settle(saga_id)
    Payment.objects.update(status="authorised")
    assert found("Q3") == ["The saga is compensated, and its payment is authorised."]
    order_id = SagaInstance.objects.get().order_id
    assert order_id is not None
    repair = ReverseLeftoverPayment(UUID(int=1), saga_id, order_id, total_minor=0, currency="GBP")

    call = Call(repair.saga_id, reverse_leftover_payment.step, 1, known=encode(repair))
    [outcome] = step_runner.act(tasks.participant, reverse_leftover_payment, [call])

    assert getattr(outcome, "answer", None) == {"payment_status": "voided"}
    assert Payment.objects.get().status == "voided"


def test_free_orders_may_be_sold_over_and_over(ordered: Callable[..., UUID], courier: Courier) -> None:
    assert [courier.settle(ordered()) for _ in range(2)] == ["completed"] * 2
    assert violations() == []
