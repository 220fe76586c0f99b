"""The repair that cancels the parcel which a compensated saga has booked."""

from datetime import timedelta

from orchestration.contracts import orders, shipping
from orchestration.contracts.repairs import LeftoverFound
from orchestration.protocol.saga import Pivot, Saga, Step, patient

cancel_leftover_parcel = Saga(
    name="cancel_leftover_parcel.v1",
    request=LeftoverFound,
    deadline=timedelta(minutes=15),
    steps=(
        Pivot(orders.confirm_no_order),
        Step(shipping.cancel_leftover_parcel, retry=patient),
    ),
)
