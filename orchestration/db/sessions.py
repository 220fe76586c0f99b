"""Sessions with PostgreSQL that close themselves when the server is silent or when they can no longer be used."""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from psycopg import Connection, Error, OperationalError
from psycopg.abc import PQGen
from psycopg.errors import (
    DuplicatePreparedStatement,
    FeatureNotSupported,
    InvalidSqlStatementName,
    ReadOnlySqlTransaction,
    _WaitTimeout,
)

from orchestration.db import deadline

T = TypeVar("T")

ANSWERED_WITHIN = 17.0
"""Seconds; see `adopt_statement_timeout`."""
MARGIN = 2.0
"""Seconds above the server's statement_timeout. A reachable server has reported the timeout by then."""
REACTS_WITHIN = 0.3
"""Seconds that a server has to react to a cancel request before it counts as silent."""
UNLIMITED = 3600.0
"""Seconds, where the server has no statement_timeout, as for migrations."""
LOOK_AGAIN = 0.1  # seconds between two checks for signals, as in psycopg's own waits
ENDED_BY_SERVER = frozenset({"FATAL", "PANIC"})
CONNECTION_EXCEPTION = "08"  # PostgreSQL manual, appendix A
_OF_STALE_PLANS = "RevalidateCachedQuery"
"""The server's function that says "cached plan must not change result type"; the message itself is translated."""


class SessionEnded(OperationalError):
    """The session could no longer be used and has been closed. Another session may work.

    `sqlstate` is what the server said, if it said anything.
    """


class DatabaseSilent(SessionEnded):
    """The server has not answered in time: the session is closed, and whether its work was done is not known."""


class OutOfTime(SessionEnded):
    """The thread's deadline passed while the server was at work: the statement was cancelled, the session closed.

    Whether the work was done is not known. Other sessions with this server are not affected.
    """


class Session(Connection[Any]):
    """A connection that bounds each of its waits, and closes itself after an error that makes it unusable."""

    answered_within: float = ANSWERED_WITHIN
    """Seconds that one wait for the server may take."""
    when_silent: Callable[[], object] | None = None
    """Called when the server is silent."""
    lock_wait_ms: int | None = None
    """The lock_timeout that was set; None: as the session began."""

    def set_lock_wait(self, ms: int | None) -> None:
        """Set how long the next statements wait for a lock, in milliseconds. None resets it to the session's default.

        The server is asked only when the value is new.
        """
        if self.lock_wait_ms == ms:
            return
        self.execute("RESET lock_timeout" if ms is None else f"SET lock_timeout = {ms}")
        self.lock_wait_ms = ms

    def wait(self, gen: PQGen[T], interval: float = LOOK_AGAIN, timeout: float | None = None) -> T:
        """Wait for the server, as psycopg does, but not longer than the limit.

        :raises DatabaseSilent: when no answer came in time, and the server did not react to a cancel request either.
        :raises OutOfTime: when no answer came in time, and the server did react.
        :raises SessionEnded: instead of an error after which the session can no longer be used.
        """
        if timeout is not None:  # a wait for notifications passes its own timeout
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, deadline.left(self.answered_within))
        except _WaitTimeout:
            raise close_unanswered(self) from None
        except Error as error:
            ended = closed_if_unusable(self, error)
            if ended is error:
                raise
            raise ended from error


def adopt_statement_timeout(raw: Connection[Any]) -> None:
    """Set a new session's wait to the server's statement_timeout plus `MARGIN`.

    The server is asked because the options of a database or its owner may have changed the timeout.
    """
    if isinstance(raw, Session):
        [(seconds,)] = raw.execute("SELECT extract(epoch FROM current_setting('statement_timeout')::interval)")
        raw.answered_within = float(seconds) + MARGIN if seconds else UNLIMITED


@contextmanager
def longer_waits(raw: Connection[Any], seconds: float) -> Iterator[None]:
    """Let each wait in the block take `seconds`, for statements with a raised statement_timeout."""
    if not isinstance(raw, Session):
        yield
        return
    before, raw.answered_within = raw.answered_within, seconds
    try:
        yield
    finally:
        raw.answered_within = before


def deadline_of(raw: Connection[Any]) -> float:
    """Return when a wait that begins now must end, in monotonic seconds."""
    return time.monotonic() + deadline.left(raw.answered_within if isinstance(raw, Session) else ANSWERED_WITHIN)


def close_unanswered(raw: Connection[Any]) -> SessionEnded:
    """Close a session whose server has not answered in time. Return the error to raise.

    Only a server that does not react to a cancel request is silent. A server that reacts was working, or waited
    for a lock: the statement ends, and the pool's other sessions and the breaker are left alone.
    """
    name = raw.info.dbname
    if _reacts_to_cancel(raw):
        raw.close()
        return OutOfTime(f"database {name} was still at work at the deadline; the statement was cancelled")
    if isinstance(raw, Session) and raw.when_silent is not None:
        raw.when_silent()
    _close(raw)
    return DatabaseSilent(f"database {name} has not answered in time; the session was closed")


def closed_if_unusable(raw: Connection[Any], error: Error) -> Error:
    """Return the error to raise. If the session can no longer be used, close it and return `SessionEnded`."""
    if isinstance(error, SessionEnded) or not ends_session(error):
        return error
    _close(raw)
    ended = SessionEnded(f"{str(error).strip()}; the session was closed")
    ended.sqlstate, ended.__cause__ = error.sqlstate, error
    return ended


def ends_session(error: Error) -> bool:
    """Return whether the session's next statement would fail as well, while another session might work.

    That is so after errors that end the session, on a server that has become read-only (25006, after a failover), and
    for prepared statements that the server no longer has or that were prepared for an older form of a table.
    """
    if isinstance(error, ReadOnlySqlTransaction | InvalidSqlStatementName | DuplicatePreparedStatement):
        return True
    if isinstance(error, FeatureNotSupported):
        return error.diag.source_function == _OF_STALE_PLANS
    is_lost = (error.sqlstate or "").startswith(CONNECTION_EXCEPTION)
    return is_lost or error.diag.severity_nonlocalized in ENDED_BY_SERVER


def _reacts_to_cancel(raw: Connection[Any]) -> bool:
    """Cancel the statement. Return whether the server then sent anything over the session.

    The request is sent several times: one that overtakes the statement has no effect.
    """
    until = time.monotonic() + REACTS_WITHIN
    try:
        socket = select.poll()
        socket.register(raw.pgconn.socket, select.POLLIN)
        while (left := until - time.monotonic()) > 0:
            raw.cancel_safe(timeout=left)
            if socket.poll(min(left, LOOK_AGAIN) * 1000):
                return True
    except Error:
        pass
    return False


def _close(raw: Connection[Any]) -> None:
    """Close the session and the idle sessions of its pool, which have the same server and the same old plans.

    Otherwise each of them would have to fail before it is replaced.
    """
    pool = getattr(raw, "_pool", None)
    raw.close()
    if pool is not None:
        pool.drain()
