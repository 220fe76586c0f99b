"""The checkout for the simulator: a request, and the work of each step's participant."""

from datetime import UTC, datetime
from uuid import UUID

from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.payments import PaymentAuthorised, PaymentCaptured
from orchestration.contracts.shipping import ShipmentScheduled
from orchestration.contracts.values import Address, Encrypted, Line
from orchestration.sagas.checkout import checkout
from orchestration.testing import Fake
from orchestration.testing.simulation import Scenario

REQUEST = CheckoutRequested(
    order_id=UUID(int=1),
    customer_id="ada",
    idempotency_key="key",
    lines=(Line("MUG-01", 2, 999),),
    total_minor=1998,
    currency="GBP",
    payment_method=Encrypted("sealed"),
    shipping_address=Address(name="Ada", line1="1 High Street", city="Leeds", postcode="LS1 1AA", country="GB"),
    placed_at=datetime(2026, 7, 14, tzinfo=UTC),
)

FAKES = {
    "authorise_payment": Fake(PaymentAuthorised("authorisation"), outside=True),
    "schedule_shipment": Fake(ShipmentScheduled("tracking"), outside=True),
    "capture_payment": Fake(PaymentCaptured("capture"), outside=True),
}

SCENARIOS = [Scenario(checkout, REQUEST)]
