"""The saga that takes returned units back into the warehouse and gives their price back."""

from datetime import timedelta

from orchestration.contracts import inventory, order_changes, payments
from orchestration.contracts.order_changes import ChangeRequested
from orchestration.protocol.saga import Pivot, Saga, Step, patient

return_order = Saga(
    name="return_order.v1",
    request=ChangeRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(order_changes.open_change, compensation=order_changes.drop_change),
        Pivot(inventory.take_back),
        Step(payments.give_back, retry=patient),
        Step(order_changes.close_change),
    ),
)
