"""Time that passes when the simulation says so."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Called, it tells the time (aware UTC)."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, span: timedelta) -> None:
        """Let time pass; never backwards."""
        self.time += max(span, timedelta(0))
