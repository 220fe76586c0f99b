"""A booking that arrives after its shipment was given up, at any time, sends no parcel."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestration.contracts.shipping import cancel_shipment, schedule_shipment
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import ReconciliationRound, reconcile_open_rows
from orchestration.testing import step_runner
from shipping import tasks
from shipping.carriers.port import CarrierTimeout
from shipping.carriers.sandbox.models import LateArrival
from shipping.carriers.sandbox.selectors import bookings_by_key
from shipping.models import Ledger, Shipment
from tests.support.clock import Clock

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["shipping", "carrier"]),
    pytest.mark.usefixtures("at_the_carrier", "healthy"),
]

shipping: Participant = tasks.participant


@pytest.fixture
def healthy():
    """Afterwards the breaker knows nothing of what the carrier did here."""
    yield
    shipping.commands[schedule_shipment].breaker.close()


@pytest.fixture
def late() -> Call:
    """A booking that timed out and arrives after 60 seconds."""
    known: dict[str, Any] = {
        "saga_id": str(uuid4()),
        "order_id": str(uuid4()),
        "lines": [{"sku": "MUG-01", "quantity": 2, "unit_price_minor": 999}],
        "shipping_address": {
            **{"name": "Ada", "line1": "1 Mill Lane", "line2": "carrier_arrives_late_60"},
            **{"city": "Leeds", "postcode": "LS1 4AP", "country": "GB"},
        },
    }
    asked = Call(UUID(known["saga_id"]), "schedule_shipment", token=1, known=known)
    with pytest.raises(CarrierTimeout):
        step_runner.act(shipping, schedule_shipment, [asked])
    return asked


def sends_nothing(clock: Clock) -> bool:
    """Whether the only booking in the carrier's books, a week later, is cancelled, and in ours."""
    clock.sleep(timedelta(days=7).total_seconds())
    [booked] = bookings_by_key(now=clock.now()).values()
    assert not LateArrival.objects.exists()
    return not booked.is_live and Shipment.objects.get().status == "cancelled"


@pytest.mark.parametrize("undone_after", [0, 59, 60, 61, 600])
def test_it_sends_no_parcel_whenever_it_is_given_up(late: Call, clock: Clock, undone_after: int) -> None:
    clock.sleep(undone_after)

    step_runner.undo(shipping, cancel_shipment, [late])

    assert sends_nothing(clock)


@pytest.mark.parametrize("asked_after", [30, 90])
def test_it_sends_no_parcel_when_settling_asks_in_between(late: Call, clock: Clock, asked_after: int, settings) -> None:
    settings.SETTLE_AFTER = timedelta(0)
    clock.sleep(asked_after)
    assert reconcile_open_rows(shipping) == (
        ReconciliationRound(settled=1) if asked_after > 60 else ReconciliationRound(unknown=1)
    )

    step_runner.undo(shipping, cancel_shipment, [late])

    assert sends_nothing(clock)
    assert Ledger.objects.get().history[-2:] == ["undoing", "undone"]
