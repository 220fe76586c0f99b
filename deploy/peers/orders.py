"""Orders as this process hands them to a peer."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from deploy.bench import load
from deploy.bench.load import Happened
from deploy.bench.records import Tail
from deploy.peers import work
from deploy.peers.asked import Asked, Place


@dataclass(frozen=True)
class Orders:
    """Starts orders by handing them to `place`."""

    place: Callable[[work.Order], None]
    skus: int
    declined_every: int

    def start_order(self, number: int, order: UUID) -> None:
        """Hand over the order of this number."""
        declined = bool(self.declined_every) and number % self.declined_every == 0
        self.place(work.Order(id=str(order), sku=random.randrange(self.skus), declined=declined))

    def leave(self) -> None:
        """Keep what this thread holds: it ends with the process."""


def drive(place_order: Callable[[work.Order], None], asked: Asked, place: Place, roots: dict[int, str]) -> Happened:
    """Measure a peer that takes its orders from this process."""
    return load.drive(
        Orders(place_order, asked.skus_bought(), asked.variant.declined_every),
        asked.variant.arrivals(in_flight=asked.in_flight, base_per_second=asked.base_per_second),
        tail=Tail(place.records),
        window=asked.window,
        look=place.meter(roots).read,
    )
