"""How long this host has been running: the one clock here that nobody can set."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Seconds since the host was started, those while it was suspended too. Setting its clock does not change them."""
    return time.clock_gettime(_UPTIME)


@dataclass(frozen=True)
class Reading:
    """What another host's clock said (`said`), and at which uptime of this host; wrong by at most `error` seconds."""

    said: datetime
    at: float
    error: float = 0.0

    @classmethod
    def between(cls, asked_at: float, said: datetime, answered_at: float) -> "Reading":
        """Make one of a question and its answer: the clock was read somewhere in between."""
        return cls(said, (asked_at + answered_at) / 2, (answered_at - asked_at) / 2)

    def now(self) -> datetime:
        """What that clock says now."""
        return self.said + timedelta(seconds=uptime() - self.at)
