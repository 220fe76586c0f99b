"""The inventory service's commands as tasks."""

from inventory import repairs, selectors, services
from inventory.audit import audit
from inventory.models import Ledger
from orchestration.contracts import inventory
from orchestration.participant.batch import Together
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register

participant = register(
    Participant(
        service="inventory",
        ledger=Ledger,
        commands={
            inventory.reserve_stock: Together(services.reserve_stock),
            inventory.release_stock: Together(services.release_stock),
            inventory.release_leftover_hold: repairs.release_leftover_hold,
            inventory.recount_reserved: repairs.recount_reserved,
        },
        audit=audit,
        queries={inventory.available_units: selectors.available_units},
    )
)
