"""The inventory service's commands as tasks."""

from inventory import selectors, services
from inventory.models import Ledger
from orchestration.contracts import inventory
from orchestration.participant.participant import Participant, register

participant = register(
    Participant(
        service="inventory",
        ledger=Ledger,
        commands={
            inventory.reserve_stock: services.reserve_stock,
            inventory.release_stock: services.release_stock,
        },
        queries={inventory.available_units: selectors.available_units},
    )
)
