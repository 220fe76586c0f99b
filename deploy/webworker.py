"""A web process whose threads do not wait for clients that say nothing, or do not hang up."""

from typing import Any

from gunicorn.workers import gthread


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, but for two of its waits for a client (gunicorn 27).

    A new connection without a request is left to the poller at once; gunicorn gives it a thread for five seconds.
    The last answer of a connection is followed by a wait of up to two seconds for the client to hang up, too (RFC 9112,
    section 9.6); it is spent in the thread that gave the answer, not in the one that accepts connections.
    """

    def handle(self, conn: Any) -> Any:
        """Serve a connection's next request; end the connection if it was the last."""
        if not conn.initialized and not conn.wait_for_data(0):
            return gthread._DEFER
        kept = super().handle(conn)
        if kept is False:
            conn.close(graceful=True)
            conn.close = _is_closed
        return kept


def _is_closed(graceful: bool = False) -> None:
    """Stand in for the close of a connection that is closed."""
