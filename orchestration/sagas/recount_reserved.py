"""Making what is promised of a SKU what live reservations add up to."""

from datetime import timedelta

from orchestration.contracts import inventory
from orchestration.contracts.repairs import MiscountFound
from orchestration.protocol.saga import Pivot, Saga

recount_reserved = Saga(
    name="recount_reserved.v1",
    request=MiscountFound,
    deadline=timedelta(minutes=15),
    steps=(Pivot(inventory.recount_reserved),),
)
