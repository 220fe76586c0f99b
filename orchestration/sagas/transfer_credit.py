"""The saga that moves store credit from one wallet to another. It takes the locks of both, in the order of the request.

Two transfers in opposite directions may wait for each other. The engine finds such deadlocks and ends them.
"""

from datetime import timedelta

from orchestration.contracts import store_credit
from orchestration.protocol.saga import Pivot, Saga, Step

transfer_credit = Saga(
    name="transfer_credit.v1",
    request=store_credit.TransferRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(store_credit.debit_wallet, compensation=store_credit.return_debit),
        Step(store_credit.credit_wallet, compensation=store_credit.drop_credit),
        Pivot(store_credit.approve_transfer),
        Step(store_credit.receive_credit),
        Step(store_credit.close_transfer),
    ),
)
