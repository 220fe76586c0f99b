"""The repair that voids the hold of an order which was paid in another way."""

from datetime import timedelta

from orchestration.contracts import payments
from orchestration.contracts.repairs import HoldSettled
from orchestration.protocol.saga import Pivot, Saga, Step, patient

void_settled_hold = Saga(
    name="void_settled_hold.v1",
    request=HoldSettled,
    deadline=timedelta(minutes=15),
    steps=(
        Pivot(payments.confirm_capture_settled),
        Step(payments.void_settled_hold, retry=patient),
    ),
)
