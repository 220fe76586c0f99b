"""The workers of a test run: one shared by the tests that do it no harm, or private ones."""

from collections.abc import Iterator
from datetime import timedelta

from tests.support.broker import waiting_messages
from tests.support.processes import Worker
from tests.support.wait import wait_for

PATIENCE = timedelta(seconds=20)
"""The longest wait of the shared worker for a message. None of its messages is lost, so this should never pass."""


class Workforce:
    """Every worker that was started. The shared one and private ones never run together."""

    def __init__(self) -> None:
        self._shared: Worker | None = None
        self._private: list[Worker] = []

    def shared(self) -> Worker:
        """Return the shared worker. Start it if it does not run."""
        if self._shared is None:
            patience = {"SHOP_PRESUMED_LOST_SECONDS": str(PATIENCE.total_seconds())}
            self._shared = Worker(threads=8, env=patience)
        return self._shared

    def start(self, *args, **kwargs) -> Worker:
        """Start a private worker."""
        self.stop_shared()
        self._private.append(Worker(*args, **kwargs))
        return self._private[-1]

    def stop_shared(self) -> None:
        """Stop the shared worker if it runs. `shared` starts a new one."""
        if self._shared:
            self._shared.stop()
            self._shared = None

    def wait_until_quiet(self) -> None:
        """Wait until the living workers have nothing left to do. Do nothing when there are none."""
        try:
            wait_for(lambda: self._is_quiet() and self._is_quiet(), seconds=120)
        except AssertionError:
            reported = "\n".join(worker.stacks_and_log() for worker in self._alive())
            raise AssertionError(f"not quiet within 120 s: {self._unquiet()}\n{reported}") from None

    def stop_private(self) -> None:
        """Stop the private workers."""
        while self._private:
            self._private.pop().stop()

    def close(self) -> None:
        """Stop all workers."""
        self.stop_private()
        if self._shared:
            self._shared.stop()

    def _is_quiet(self) -> bool:
        return not self._unquiet()

    def _unquiet(self) -> list[str]:
        workers = list(self._alive())
        queues = sorted({queue for worker in workers for queue in worker.queues})
        waiting = [f"{count} in {queue}" for queue in queues if (count := waiting_messages([queue]))]
        return waiting or [held for worker in workers if (held := worker.busy_with())]

    def _alive(self) -> Iterator[Worker]:
        everybody = [*self._private, self._shared] if self._shared else self._private
        return (worker for worker in everybody if worker.is_alive())
