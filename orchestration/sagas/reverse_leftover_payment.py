"""The repair that voids or refunds the money which a compensated saga still holds or has captured."""

from datetime import timedelta

from orchestration.contracts import orders, payments
from orchestration.contracts.repairs import LeftoverFound
from orchestration.protocol.saga import Pivot, Saga, Step, patient

reverse_leftover_payment = Saga(
    name="reverse_leftover_payment.v1",
    request=LeftoverFound,
    deadline=timedelta(minutes=15),
    steps=(
        Pivot(orders.confirm_no_order),
        Step(payments.reverse_leftover_payment, retry=patient),
    ),
)
