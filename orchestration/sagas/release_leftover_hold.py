"""The repair that releases the units which a compensated saga still holds."""

from datetime import timedelta

from orchestration.contracts import inventory
from orchestration.contracts.repairs import LeftoverFound
from orchestration.protocol.saga import Pivot, Saga

release_leftover_hold = Saga(
    name="release_leftover_hold.v1",
    request=LeftoverFound,
    deadline=timedelta(minutes=15),
    steps=(Pivot(inventory.release_leftover_hold),),
)
