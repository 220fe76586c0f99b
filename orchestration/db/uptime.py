"""This host's uptime, a clock that cannot be set, and readings of other clocks that it extends."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return the seconds since the host booted, including suspended time. Setting the host's clock changes nothing."""
    return time.clock_gettime(_UPTIME)


@dataclass(frozen=True)
class UptimeReading:
    """The time that another host's clock showed (`said`) at an uptime of this host (`at`), exact to `error` seconds."""

    said: datetime
    at: float
    error: float = 0.0

    @classmethod
    def between(cls, asked_at: float, said: datetime, answered_at: float) -> "UptimeReading":
        """Make a reading from a query and its answer. The clock was read at some moment between the two."""
        return cls(said, (asked_at + answered_at) / 2, (answered_at - asked_at) / 2)

    def now(self) -> datetime:
        """Return the time that the other clock shows now."""
        return self.said + timedelta(seconds=uptime() - self.at)
