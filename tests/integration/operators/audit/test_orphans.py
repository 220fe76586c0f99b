"""Q6 seen to fail."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

import inventory.models
import payments.models
from inventory.models import Movement, Reservation
from orchestration.models import SagaInstance, SagaLogEntry
from orders.models import Order
from payments.gateways.sandbox import models as gateway
from payments.models import Payment
from shipping.carriers.sandbox import models as carrier
from shipping.models import Shipment
from tests.integration.operators.audit.conftest import Found


def test_everything_that_a_lost_saga_left_behind_is_found(completed: UUID, found: Found) -> None:
    SagaLogEntry.objects.all().delete()
    SagaInstance.objects.all().delete()
    messages = found("Q6")
    for kind in ("reserve_stock ledger row", "reservation or movement", "order", "payment", "shipment"):
        assert f"There is no saga to this {kind}." in messages
    assert messages.count("The gateway holds a key of a saga that there is not.") == 2
    assert messages.count("The carrier holds a key of a saga that there is not.") == 1


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (inventory.models.Ledger, "reserve_stock ledger row"),
        (Reservation, "reservation or movement"),
        (Movement, "reservation or movement"),
        (Order, "order"),
        (Payment, "payment"),
        (Shipment, "shipment"),
    ],
)
def test_one_row_without_its_saga_is_found(completed: UUID, found: Found, model: type, kind: str) -> None:
    model.objects.filter(saga_id=completed).update(saga_id=uuid4())  # type: ignore[attr-defined]
    assert found("Q6")[0] == f"There is no saga to this {kind}."


@pytest.mark.parametrize("model", [Payment, Shipment])
def test_a_row_for_another_order_than_its_sagas_is_found(completed: UUID, found: Found, model: type) -> None:
    model.objects.update(order_id=uuid4())  # type: ignore[attr-defined]
    assert found("Q6") == [f"The {model.__name__.lower()} is for another order than its saga."]


def test_a_ledger_row_of_a_step_that_the_saga_does_not_have_is_found(completed: UUID, found: Found) -> None:
    inventory.models.Ledger.objects.update(step="count_stock")
    assert found("Q6") == ["The saga has no step count_stock to this ledger row."]


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda saga: {"key": "theirs"}, "that is not one of ours"),
        (lambda saga: {"key": f"{saga}:capture_payment:guess"}, "that is not one of ours"),
        (
            lambda saga: {"key": f"{uuid4()}:capture_payment:action"},
            "of another saga than the one it was made for",
        ),
        (
            lambda saga: {"key": f"{saga}:authorise_payment:compensation"},
            "for a call that the ledger of authorise_payment knows nothing of",
        ),
    ],
)
def test_a_strange_key_at_the_gateway_is_found(
    completed: UUID, found: Found, tamper: Callable[[UUID], dict[str, str]], said: str
) -> None:
    gateway.Operation.objects.filter(kind="capture").update(**tamper(completed))
    assert found("Q6") == [f"The gateway holds a key {said}."]


def test_an_authorisation_of_a_saga_that_there_is_not_is_found(completed: UUID, found: Found) -> None:
    gateway.Operation.objects.filter(kind="authorise").update(key=f"{uuid4()}:authorise_payment:action")
    assert set(found("Q6")) == {"The gateway holds a key of a saga that there is not."}


def test_a_booking_under_a_strange_key_is_found(completed: UUID, found: Found) -> None:
    carrier.Operation.objects.update(key="theirs")
    assert found("Q6") == ["The carrier holds a key that is not one of ours."]


def test_a_booking_for_another_order_is_found(completed: UUID, found: Found) -> None:
    carrier.Operation.objects.update(reference=str(uuid4()))
    assert found("Q6") == ["The carrier holds a key for another order than the saga's."]


def test_a_call_that_was_never_started_is_found(completed: UUID, found: Found) -> None:
    payments.models.Ledger.objects.filter(step="capture_payment").update(history=["done"])
    assert found("Q6") == ["The gateway holds a key for a call that the ledger of capture_payment knows nothing of."]
