"""The inventory service's commands as tasks."""

from inventory import order_changes, repairs, selectors, services
from inventory.audit import audit
from inventory.models import Guard, Ledger
from orchestration.contracts import inventory
from orchestration.participant.batch import Together
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register

participant = register(
    Participant(
        service="inventory",
        ledger=Ledger,
        locks=LockTables(guard=Guard),
        commands={
            inventory.reserve_stock: Together(services.reserve_stock),
            inventory.release_stock: Together(services.release_stock),
            inventory.consume_units: Together(order_changes.consume_units),
            inventory.release_units: Together(order_changes.release_units),
            inventory.take_back: Together(order_changes.take_back),
            inventory.release_leftover_hold: repairs.release_leftover_hold,
            inventory.recount_reserved: repairs.recount_reserved,
        },
        audit=audit,
        queries={inventory.available_units: selectors.available_units},
    )
)
