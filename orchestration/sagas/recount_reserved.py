"""The repair that sets the reserved units of a SKU to the sum of its live reservations."""

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
