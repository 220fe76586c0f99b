"""Starts a peer's orders from this process."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from deploy.bench import load
from deploy.bench.load import Happened
from deploy.bench.records import Tail
from deploy.peers import work
from deploy.peers.request import Asked, Place


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


def drive(place_order: Callable[[work.Order], None], asked: Asked, place: Place, roots: dict[int, str]) -> Happened:
    """Measure a peer whose orders this process starts."""
    return load.drive(
        Orders(place_order, asked.skus_bought(), asked.variant.declined_every),
        asked.variant.arrivals(in_flight=asked.in_flight, base_per_second=asked.base_per_second),
        tail=Tail(place.records),
        window=asked.window,
        look=place.meter(roots).read,
    )
