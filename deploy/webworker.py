"""A gunicorn worker whose threads do not wait for clients that send no request or do not close their connection."""

from typing import Any

from gunicorn.workers import gthread


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker without two of its waits for a client (gunicorn 27).

    A new connection without a request goes to the poller at once; gunicorn would give it a thread for five seconds.
    After the last response on a connection, gunicorn waits up to two seconds until the client has closed it, too (RFC
    9112, section 9.6). Here the thread that sent the response waits, not the one that accepts connections.
    """

    def handle(self, conn: Any) -> Any:
        """Serve a connection's next request. Close the connection if it was the last one."""
        if not conn.initialized and not conn.wait_for_data(0):
            return gthread._DEFER
        kept = super().handle(conn)
        if kept is False:
            conn.close(graceful=True)
            conn.close = _is_closed
        return kept


def _is_closed(graceful: bool = False) -> None:
    """Do nothing: the connection has been closed already."""
