"""The kinds of load that are measured."""

import random
import time
from dataclasses import dataclass

from deploy.bench.arrivals import Arrivals, ClosedLoop, Poisson

DECLINED_EVERY = 10
LOW_PER_S = 10.0
LOAD_SHARE = 0.7


@dataclass(frozen=True)
class Variant:
    """One kind of load: when orders come, what they buy, and whether they come over HTTP."""

    says: str
    declined_every: int = 0
    one_sku: bool = False
    over_http: bool = False
    per_second: float | None = None
    """Orders a second of a Poisson process. None: a closed loop, limited by the orders in flight."""
    share_of_base: float | None = None
    """Orders a second of a Poisson process, as a share of what `base` reached in the same round."""

    def arrivals(self, *, in_flight: int, base_per_second: float | None) -> Arrivals:
        """Return the arrival process, starting now."""
        per_second = self.rate(base_per_second)
        if per_second is None:
            return ClosedLoop(in_flight)
        return Poisson(per_second, chance=random.Random(), begin=time.time())

    def rate(self, base_per_second: float | None) -> float | None:
        """Return the average orders a second, or None for a closed loop."""
        if self.share_of_base is None:
            return self.per_second
        if not base_per_second:
            raise ValueError("a share of base is required, but base placed no orders")
        return self.share_of_base * base_per_second


VARIANTS = {
    "base": Variant("so many orders in flight, of a thousand SKUs"),
    "declines": Variant("the same with every tenth card declined", declined_every=DECLINED_EVERY),
    "hot": Variant("the same with one SKU", one_sku=True),
    "http": Variant("the same through gunicorn, waiting for each outcome", over_http=True),
    "low": Variant("10 orders a second", per_second=LOW_PER_S),
    "load": Variant("70 % of what base did", share_of_base=LOAD_SHARE),
}
