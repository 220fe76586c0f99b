"""A clock that tests move themselves."""

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock whose time passes only during `sleep`."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.slept = 0.0

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.time += timedelta(seconds=seconds)
