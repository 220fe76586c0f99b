"""The saga that records a parcel as handed over to the carrier: its units leave the warehouse."""

from datetime import timedelta

from orchestration.contracts import inventory, order_changes, shipping
from orchestration.contracts.order_changes import ChangeRequested
from orchestration.protocol.saga import Pivot, Saga, Step

dispatch_order = Saga(
    name="dispatch_order.v1",
    request=ChangeRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(order_changes.open_change, compensation=order_changes.drop_change),
        Pivot(shipping.hand_over),
        Step(inventory.consume_units),
        Step(order_changes.close_change),
    ),
)
