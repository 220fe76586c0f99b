"""The shipping service's commands as tasks."""

from orchestration.contracts import shipping
from orchestration.participant.breaker_registry import breaker_for
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register
from orchestration.participant.search_key import Finder
from shipping import order_changes, repairs, selectors, services
from shipping.audit import audit
from shipping.carriers.choice import carrier
from shipping.carriers.port import OUTAGES
from shipping.models import Guard, Ledger

_breaker = breaker_for("shipping.carrier", counts=OUTAGES)
_key_lifetime = carrier().key_lifetime

participant = register(
    Participant(
        service="shipping",
        ledger=Ledger,
        locks=LockTables(guard=Guard),
        commands={
            shipping.schedule_shipment: services.ShipmentBooking(_breaker, _key_lifetime),
            shipping.cancel_shipment: services.ShipmentCancellation(_breaker, _key_lifetime),
            shipping.cancel_leftover_parcel: repairs.LeftoverParcelCancellation(_breaker, _key_lifetime),
            shipping.hand_over: order_changes.hand_over,
            shipping.stop_parcel: order_changes.stop_parcel,
            shipping.cancel_parcel: order_changes.ParcelCancellation(_breaker, _key_lifetime),
        },
        refusal_of_duplicate={shipping.hand_over: order_changes.number_taken},
        audit=audit,
        finders=(Finder("tracking number", selectors.found_by_tracking_number),),
    )
)
