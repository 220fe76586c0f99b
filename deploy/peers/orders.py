"""Starts a peer's orders from this process."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from deploy.bench import load
from deploy.bench.load import LoadEvents
from deploy.bench.records import Tail
from deploy.peers import work
from deploy.peers.request import MeasurementRequest, Place


@dataclass(frozen=True)
class Orders:
    """Starts orders by handing them to `place`."""

    place: Callable[[work.Order], None]
    skus: int
    declined_every: int

    def start_order(self, number: int, order: UUID) -> None:
        """Start order `number`."""
        declined = bool(self.declined_every) and number % self.declined_every == 0
        self.place(work.Order(id=str(order), sku=random.randrange(self.skus), declined=declined))

    def leave(self) -> None:
        """Do nothing: the connection of this thread closes with the process."""


def drive(
    place_order: Callable[[work.Order], None], request: MeasurementRequest, place: Place, roots: dict[int, str]
) -> LoadEvents:
    """Measure a peer whose orders this process starts."""
    return load.drive(
        Orders(place_order, request.skus_bought(), request.variant.declined_every),
        request.variant.arrivals(in_flight=request.in_flight, base_per_second=request.base_per_second),
        tail=Tail(place.records),
        window=request.window,
        look=place.meter(roots).read,
    )
