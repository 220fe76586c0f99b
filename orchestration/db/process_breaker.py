"""A circuit breaker of one process, around a server that it calls from many threads."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class BreakerIsOpen(Exception):
    """The server failed less than a second ago, so it was not called."""


class ProcessBreaker:
    """A breaker that is open, and lets no call through, for `open_for_s` seconds after a call has failed.

    A failure does not count if another call succeeded during it, in its last `open_for_s` seconds. The server is
    then busy, not absent.

    After those seconds, and until a call succeeds, a caller with `one_at_a_time` is let through only while no other
    such call runs. Unlike pybreaker, this class holds no lock during a call.
    """

    def __init__(self, open_for_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.open_for_s = open_for_s
        self._clock = clock
        self._lock = threading.Lock()
        self._open_until = float("-inf")
        self._succeeded_at = float("-inf")
        self._has_failed = False
        self._is_probed = False

    def is_open(self) -> bool:
        """Return whether the breaker lets no call through now."""
        return self._clock() < self._open_until

    def open(self, seconds: float | None = None) -> None:
        """Let no call through for `seconds` (by default, for `open_for_s`)."""
        with self._lock:
            self._has_failed = True
            self._open_until = self._clock() + (self.open_for_s if seconds is None else seconds)

    def close(self) -> None:
        """Let every call through."""
        with self._lock:
            self._has_failed = False
            self._open_until = float("-inf")

    @contextmanager
    def calling(self, *counts: type[Exception], one_at_a_time: bool) -> Iterator[None]:
        """Run the block as one call. An exception in `counts` opens the breaker; success closes it.

        :raises BreakerIsOpen: when the block is not run.
        """
        is_probe, began = self._enter(one_at_a_time), self._clock()
        try:
            yield
        except counts:
            if self._succeeded_at < max(began, self._clock() - self.open_for_s):
                self.open()
            raise
        else:
            self._succeed()
        finally:
            if is_probe:
                self._is_probed = False

    def _enter(self, one_at_a_time: bool) -> bool:
        with self._lock:
            is_probe = one_at_a_time and self._has_failed
            if self.is_open() or (is_probe and self._is_probed):
                raise BreakerIsOpen(BreakerIsOpen.__doc__)
            self._is_probed = self._is_probed or is_probe
            return is_probe

    def _succeed(self) -> None:
        self._succeeded_at = self._clock()
        if self._has_failed:
            self.close()
