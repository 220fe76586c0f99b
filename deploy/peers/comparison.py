"""The required ratios between this shop and its peers, and whether they hold: pure."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.bench.figures import Figures
from deploy.bench.table import lay_out, number

OURS = "ours"
Round = Mapping[str, Mapping[str, Figures]]
"""One round's figures, by system and variant."""


@dataclass(frozen=True)
class Demand:
    """A lower or upper limit for a value of a round. `of` returns None if the value was not measured."""

    says: str
    of: Callable[[Round], float | None]
    at_least: float | None = None
    at_most: float | None = None

    def is_met_by(self, value: float) -> bool:
        """Return whether the value is within the limit."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def bound(self) -> str:
        """Format the limit."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""


@dataclass(frozen=True)
class Found:
    """The median over the rounds of the value that a demand limits. None: it was not measured."""

    demand: Demand
    value: float | None

    @property
    def is_met(self) -> bool | None:
        """Whether the value is within the limit. None: it was not measured."""
        return None if self.value is None else self.demand.is_met_by(self.value)


def compare(rounds: Sequence[Round]) -> list[Found]:
    """Return the median of each ratio. Ratios are taken within a round, since only its figures can be compared."""
    found = []
    for demand in DEMANDS:
        values = [value for value in map(demand.of, rounds) if value is not None]
        found.append(Found(demand, statistics.median(values) if values else None))
    return found


def comparison_table(found: Sequence[Found]) -> str:
    """Format the comparison, one line for each demand."""
    verdicts = {True: "met", False: "MISSED", None: "not measured"}
    head = ["", "is", "demanded", ""]
    rows = [
        [each.demand.says, number(each.value, 2), each.demand.bound(), verdicts[each.is_met] if _binds(each) else ""]
        for each in found
    ]
    return lay_out([head, *rows])


def _binds(found: Found) -> bool:
    return bool(found.demand.bound())


def _figure(one_round: Round, who: str, variant: str, figure: str) -> float | None:
    figures = one_round.get(who, {}).get(variant)
    value: float | None = getattr(figures, figure) if figures else None
    return value


def _beside(peer: str, variant: str, figure: str) -> Callable[[Round], float | None]:
    """Return the ratio of our figure to the peer's."""

    def ratio(one_round: Round) -> float | None:
        ours, theirs = (_figure(one_round, who, variant, figure) for who in (OURS, peer))
        return ours / theirs if ours is not None and theirs else None

    return ratio


def _beside_base(variant: str) -> Callable[[Round], float | None]:
    """Return the ratio of our orders a second to those of base."""

    def ratio(one_round: Round) -> float | None:
        these, base = (_figure(one_round, OURS, name, "orders_per_second") for name in (variant, "base"))
        return these / base if these is not None and base else None

    return ratio


def _own(variant: str, figure: str) -> Callable[[Round], float | None]:
    return lambda one_round: _figure(one_round, OURS, variant, figure)


DEMANDS = (
    Demand("orders/s, ours / Restate", _beside("restate", "base", "orders_per_second"), at_least=2.0),
    Demand("orders/s, ours / DBOS", _beside("dbos", "base", "orders_per_second"), at_least=4.0),
    Demand("orders/s, ours / Celery chain", _beside("chain", "base", "orders_per_second")),
    Demand("p50 at 10/s, ours / Restate", _beside("restate", "low", "p50_ms"), at_most=0.75),
    Demand("p99 at 10/s, ours / Restate", _beside("restate", "low", "p99_ms"), at_most=0.75),
    Demand("p50 at 70 %, ours / Restate at 70 % of its own", _beside("restate", "load", "p50_ms"), at_most=1.0),
    Demand("CPU ms an order", _own("base", "cpu_ms_per_order"), at_most=4.5),
    Demand("CPU an order, ours / Restate", _beside("restate", "base", "cpu_ms_per_order")),
    Demand("orders/s, ours with declines / ours", _beside_base("declines"), at_least=0.8),
    Demand("orders/s, ours with one SKU / ours", _beside_base("hot"), at_least=0.8),
)
