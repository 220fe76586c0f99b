"""What to measure of a peer, and where it runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from deploy.bench.cost import Meter
from deploy.bench.load import LoadEvents, Window
from deploy.bench.variants import Variant


@dataclass(frozen=True)
class MeasurementRequest:
    """One measurement. `base_per_second` is what this peer reached as base."""

    variant: Variant
    window: Window
    in_flight: int
    skus: int
    base_per_second: float | None = None

    def skus_bought(self) -> int:
        """Return the number of SKUs that the orders buy."""
        return 1 if self.variant.one_sku else self.skus


@dataclass(frozen=True)
class Place:
    """Where a peer runs: its interpreter and packages, a directory for its data, the servers, the record file."""

    environment: Path
    data: Path
    records: Path
    broker_url: str
    meter: Callable[[dict[int, str]], Meter]

    @property
    def python(self) -> str:
        """The interpreter that has the peers' packages."""
        return str(self.environment / "venv" / "bin" / "python")


Measure = Callable[[MeasurementRequest], LoadEvents]
Peer = Callable[[Place], AbstractContextManager[Measure]]
"""Runs a peer for the length of a block and yields the function that measures it."""
