"""Shipping as a participant: its commands run by the kit, with ledger, carrier and breaker."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from orchestration.contracts.shipping import cancel_shipment, schedule_shipment
from orchestration.participant.breaker import Breaker, BreakerOpen
from orchestration.participant.breaker_redis import connect
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Barred, Done, Refused
from orchestration.participant.participant import Participant
from orchestration.testing import step_runner
from shipping import tasks
from shipping.carriers.port import BookingStatus, CarrierBroken, CarrierTimeout
from shipping.carriers.sandbox.carrier import SandboxCarrier
from shipping.carriers.sandbox.models import Kind, Operation
from shipping.models import Ledger, Shipment
from tests.support.clock import Clock
from tests.support.external import external_commands

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["shipping", "carrier"]),
    pytest.mark.usefixtures("at_the_carrier"),
]


@pytest.fixture
def participant() -> Iterator[Participant]:
    """Shipping with a breaker of its own, so that outages here open nobody else's."""
    works = external_commands(tasks.participant)
    [counts] = {work.breaker.counts for work in works.values()}
    breaker = Breaker(f"test.{uuid4().hex}", redis=lambda: connect(settings.REDIS_URL), counts=counts, fail_max=3)
    commands = {contract: replace(work, breaker=breaker) for contract, work in works.items()}
    yield Participant("shipping", Ledger, commands)
    breaker.close()


def call(line2: str = "") -> list[Call]:
    """One message to shipping, with what the saga knows before its shipment."""
    saga_id = uuid4()
    address = {"name": "Ada", "line1": "1 Mill Lane", "city": "Leeds", "postcode": "LS1 4AP", "country": "GB"}
    known = {
        "saga_id": str(saga_id),
        "order_id": str(UUID(int=1)),
        "lines": [{"sku": "MUG-01", "quantity": 2, "unit_price_minor": 999}],
        "shipping_address": address | {"line2": line2},
    }
    return [Call(saga_id=saga_id, step="schedule_shipment", token=1, known=known)]


def history() -> list[str]:
    return Ledger.objects.get().history


def kinds() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def test_booked_and_cancelled_once_however_often_asked(participant: Participant) -> None:
    message = call()
    first = step_runner.act(participant, schedule_shipment, message)
    assert isinstance(first[0], Done)
    assert step_runner.act(participant, schedule_shipment, message) == first
    for _ in range(2):
        step_runner.undo(participant, cancel_shipment, message)
    assert kinds() == [Kind.BOOK, Kind.CANCEL]
    assert history() == [Status.STARTED, Status.DONE, Status.UNDOING, Status.UNDONE]


def test_an_address_out_of_reach_is_refused_word_for_word_again(participant: Participant) -> None:
    message = call("carrier_refuse")
    first = step_runner.act(participant, schedule_shipment, message)
    assert step_runner.act(participant, schedule_shipment, message) == first
    assert isinstance(first[0], Refused)
    assert first[0].refusal["code"] == "cannot_deliver"


@pytest.mark.parametrize("line2", ["carrier_timeout_before", "carrier_timeout_after", "carrier_arrives_late_60"])
def test_an_unknown_outcome_is_undone_and_a_late_action_is_barred(
    participant: Participant, carrier: SandboxCarrier, clock: Clock, line2: str
) -> None:
    message = call(line2)
    with pytest.raises(CarrierTimeout):
        step_runner.act(participant, schedule_shipment, message)
    step_runner.undo(participant, cancel_shipment, message)
    clock.sleep(60)
    assert step_runner.act(participant, schedule_shipment, message) == [Barred()]
    assert kinds() == [Kind.BOOK, Kind.CANCEL]
    shipment = Shipment.objects.get()
    assert shipment.status == BookingStatus.CANCELLED == carrier.look_up(shipment.tracking_number).status


def test_a_timeout_is_asked_after_and_not_done_twice(participant: Participant) -> None:
    message = call("carrier_timeout_after")
    with pytest.raises(CarrierTimeout):
        step_runner.act(participant, schedule_shipment, message)
    assert isinstance(step_runner.act(participant, schedule_shipment, message)[0], Done)
    assert kinds() == [Kind.BOOK]


def test_an_ailing_carrier_is_left_alone(participant: Participant) -> None:
    for _ in range(3):
        with pytest.raises(CarrierBroken):
            step_runner.act(participant, schedule_shipment, call("carrier_fail_1"))
    with pytest.raises(BreakerOpen):
        step_runner.act(participant, schedule_shipment, call())
    assert kinds() == []
