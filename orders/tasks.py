"""The orders service's commands as tasks."""

from orchestration.contracts import order_changes, orders
from orchestration.participant.batch import Together
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register
from orchestration.participant.search_key import Finder
from orders import changes, selectors, services
from orders.audit import audit
from orders.models import Guard, Hold, Ledger, Turn

participant = register(
    Participant(
        service="orders",
        ledger=Ledger,
        locks=LockTables(guard=Guard, hold=Hold, turn=Turn),
        commands={
            orders.place_order: Together(services.place_order),
            orders.confirm_no_order: services.confirm_no_order,
            order_changes.open_change: changes.open_change,
            order_changes.drop_change: changes.drop_change,
            order_changes.approve_refund: changes.approve_refund,
            order_changes.close_change: changes.close_change,
        },
        refusal_of_duplicate={orders.place_order: services.order_placed_before},
        audit=audit,
        finders=(Finder("customer's e-mail", selectors.found_by_email),),
    )
)
