"""The clock of a simulation, which only the simulation advances."""

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that returns its time (aware UTC) when it is called."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, span: timedelta) -> None:
        """Let time pass. A negative span changes nothing."""
        self.time += max(span, timedelta(0))
