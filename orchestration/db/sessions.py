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
LOOK_AGAIN = 0.1  # seconds: between two looks for signals, as psycopg's own waits have it
ENDED_BY_SERVER = frozenset({"FATAL", "PANIC"})
CONNECTION_EXCEPTION = "08"  # PostgreSQL manual, appendix A
_OF_STALE_PLANS = "RevalidateCachedQuery"
"""The server's function that says "cached plan must not change result type"; the sentence itself is translated."""


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
    """A connection that bounds each of its waits, and closes itself when an error says that it cannot go on."""

    answered_within: float = ANSWERED_WITHIN
    """Seconds that one wait for the server may take."""
    when_silent: Callable[[], object] | None = None
    """Called when the server is silent."""
    lock_wait_ms: int | None = None
    """The lock_timeout that was set; None: as the session began."""

    def set_lock_wait(self, ms: int | None) -> None:
        """Have the next statements wait so long for a lock, or (None) as the session began; asks the server if new."""
        if self.lock_wait_ms == ms:
            return
        self.execute("RESET lock_timeout" if ms is None else f"SET lock_timeout = {ms}")
        self.lock_wait_ms = ms

    def wait(self, gen: PQGen[T], interval: float = LOOK_AGAIN, timeout: float | None = None) -> T:
        """Wait for the server, as psycopg does, but never for ever.

        :raises DatabaseSilent: when nothing came in time, and the server did not react to a cancel request either.
        :raises OutOfTime: when nothing came in time, and the server did react.
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
    """Have a new session wait as long as its server may work, which a database's address or owner may have changed."""
    if isinstance(raw, Session):
        [(seconds,)] = raw.execute("SELECT extract(epoch FROM current_setting('statement_timeout')::interval)")
        raw.answered_within = float(seconds) + MARGIN if seconds else UNLIMITED


@contextmanager
def longer_waits(raw: Connection[Any], seconds: float) -> Iterator[None]:
    """Let each wait of the block take so long, for statements whose statement_timeout is raised."""
    if not isinstance(raw, Session):
        yield
        return
    before, raw.answered_within = raw.answered_within, seconds
    try:
        yield
    finally:
        raw.answered_within = before


def deadline_of(raw: Connection[Any]) -> float:
    """When a wait that begins now must be over, in monotonic seconds."""
    return time.monotonic() + deadline.left(raw.answered_within if isinstance(raw, Session) else ANSWERED_WITHIN)


def close_unanswered(raw: Connection[Any]) -> SessionEnded:
    """Close a session whose server has not answered in time, and give the error to raise.

    Only a server that does not react to a cancel request is silent. One that reacts was working, or waited for a lock:
    the statement ends, and neither its pool's other sessions nor the breaker have anything to do with it.
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
    """Give the error to raise: the same, or `SessionEnded` where the session can no longer be used and is closed."""
    if isinstance(error, SessionEnded) or not ends_session(error):
        return error
    _close(raw)
    ended = SessionEnded(f"{str(error).strip()}; the session was closed")
    ended.sqlstate, ended.__cause__ = error.sqlstate, error
    return ended


def ends_session(error: Error) -> bool:
    """Whether the session's next statement would fail as well, and that of another session might not.

    Such are errors by which the server ends the session, a server that has become read-only (25006, after a failover),
    and prepared statements that the server has no more, or has for tables as they were.
    """
    if isinstance(error, ReadOnlySqlTransaction | InvalidSqlStatementName | DuplicatePreparedStatement):
        return True
    if isinstance(error, FeatureNotSupported):
        return error.diag.source_function == _OF_STALE_PLANS
    is_lost = (error.sqlstate or "").startswith(CONNECTION_EXCEPTION)
    return is_lost or error.diag.severity_nonlocalized in ENDED_BY_SERVER


def _reacts_to_cancel(raw: Connection[Any]) -> bool:
    """Cancel the statement; say whether the server then sent anything over the session.

    It is cancelled several times: a request that overtakes the statement has no effect.
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
    """Close the session and those that its pool keeps: they lead to the same server, and know tables as they were.

    Without this each would have to fail before it is replaced.
    """
    pool = getattr(raw, "_pool", None)
    raw.close()
    if pool is not None:
        pool.drain()
