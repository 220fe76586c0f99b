"""The saga that gives back a part or all of the money of a placed order."""

from datetime import timedelta

from orchestration.contracts import order_changes, payments
from orchestration.contracts.order_changes import ChangeRequested
from orchestration.protocol.saga import Pivot, Saga, Step, patient

refund_order = Saga(
    name="refund_order.v1",
    request=ChangeRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(order_changes.open_change, compensation=order_changes.drop_change),
        Pivot(order_changes.approve_refund),
        Step(payments.give_back, retry=patient),
        Step(order_changes.close_change),
    ),
)
