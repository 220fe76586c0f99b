"""What shipping answers to."""

from orchestration.contracts import shipping
from orchestration.participant.batch import Together
from orchestration.participant.breaker_registry import breaker_for
from orchestration.participant.external import Outside, Told
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register
from orchestration.participant.search_key import Finder
from shipping import repairs, selectors, services
from shipping.carriers.choice import carrier
from shipping.carriers.port import OUTAGES
from shipping.models import Ledger

_breaker = breaker_for("shipping.carrier", counts=OUTAGES)
_key_lifetime = carrier().key_lifetime

participant = register(
    Participant(
        service="shipping",
        ledger=Ledger,
        commands={
            shipping.schedule_shipment: Outside(
                call=services.schedule_shipment,
                find=services.find_scheduled_shipment,
                record=Together(services.record_scheduled_shipment),
                breaker=_breaker,
                key_lifetime=_key_lifetime,
                told=Told(services.BookingTold, services.told_scheduled_shipment),
            ),
            shipping.cancel_shipment: Outside(
                call=services.cancel_shipment,
                find=services.find_cancelled_shipment,
                record=services.record_cancelled_shipment,
                breaker=_breaker,
                key_lifetime=_key_lifetime,
                told=Told(services.CancellationTold, services.told_cancelled_shipment),
            ),
            shipping.cancel_leftover_parcel: Outside(
                call=repairs.cancel_leftover_parcel,
                find=repairs.find_cancelled_leftover_parcel,
                record=repairs.record_cancelled_leftover_parcel,
                breaker=_breaker,
                key_lifetime=_key_lifetime,
            ),
        },
        finders=(Finder("tracking number", selectors.found_by_tracking_number),),
    )
)
