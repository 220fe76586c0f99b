"""The saga that cancels a placed order, unless a parcel of it was handed over."""

from datetime import timedelta

from orchestration.contracts import inventory, order_changes, payments, shipping
from orchestration.contracts.order_changes import ChangeRequested
from orchestration.protocol.saga import Pivot, Saga, Step, patient

cancel_order = Saga(
    name="cancel_order.v1",
    request=ChangeRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(order_changes.open_change, compensation=order_changes.drop_change),
        Pivot(shipping.stop_parcel),
        Step(shipping.cancel_parcel, retry=patient),
        Step(payments.give_back, retry=patient),
        Step(inventory.release_units),
        Step(order_changes.close_change),
    ),
)
