"""The inventory service's commands as tasks."""

from inventory import selectors, services
from inventory.models import Ledger
from orchestration.contracts import inventory
from orchestration.participant.participant import Participant, register
from orchestration.participant.together import Together

participant = register(
    Participant(
        service="inventory",
        ledger=Ledger,
        commands={
            inventory.reserve_stock: Together(services.reserve_stock),
            inventory.release_stock: Together(services.release_stock),
        },
        queries={inventory.available_units: selectors.available_units},
    )
)
