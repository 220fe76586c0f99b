"""Sessions with PostgreSQL that end by themselves when the server is silent, or when they are no good any more."""

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

from orchestration import deadline

T = TypeVar("T")

ANSWERED_WITHIN = 17.0
"""Seconds; see `patient_as_server`."""
MARGIN = 2.0
"""Seconds above the server's statement_timeout: a server that is there has said by then that it gave up."""
UNLIMITED = 3600.0
"""Seconds, where the server has no statement_timeout, as for migrations."""
LOOK_AGAIN = 0.1  # seconds: between two looks for signals, as psycopg's own waits have it
ENDED_BY_SERVER = frozenset({"FATAL", "PANIC"})
CONNECTION_EXCEPTION = "08"  # PostgreSQL manual, appendix A
_OF_STALE_PLANS = "RevalidateCachedQuery"
"""The server's function that says "cached plan must not change result type"; the sentence itself is translated."""


class SessionEnded(OperationalError):
    """The session was no good any more and has been closed; another one may do.

    `sqlstate` is what the server said, if it said anything.
    """


class NoAnswer(SessionEnded):
    """The server has not answered in time: the session is closed, and whether its work was done is not known."""


class Session(Connection[Any]):
    """A connection that bounds each of its waits, and closes itself when an error says that it cannot go on."""

    answered_within: float = ANSWERED_WITHIN
    """Seconds that one wait for the server may take."""
    when_silent: Callable[[], None] | None = None
    """Called when the server has not answered in time."""

    def wait(self, gen: PQGen[T], interval: float = LOOK_AGAIN, timeout: float | None = None) -> T:
        """Wait for the server, as psycopg does, but never for ever.

        :raises NoAnswer: when nothing came in time.
        :raises SessionEnded: instead of an error after which the session is no good.
        """
        if timeout is not None:  # whoever waits for notifications has a bound of their own
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, deadline.left(self.answered_within))
        except _WaitTimeout:
            raise given_up(self) from None
        except Error as error:
            ended = judged(self, error)
            if ended is error:
                raise
            raise ended from error


def patient_as_server(raw: Connection[Any]) -> None:
    """Have a new session wait as long as its server may work, which a database's address or owner may have changed."""
    if isinstance(raw, Session):
        [(seconds,)] = raw.execute("SELECT extract(epoch FROM current_setting('statement_timeout')::interval)")
        raw.answered_within = float(seconds) + MARGIN if seconds else UNLIMITED


@contextmanager
def patient(raw: Connection[Any], seconds: float) -> Iterator[None]:
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


def given_up(raw: Connection[Any]) -> NoAnswer:
    """Close a session whose server is silent, and its pool's; give the error to raise."""
    silent = NoAnswer(f"database {raw.info.dbname} has not answered in time; the session was closed")
    if isinstance(raw, Session) and raw.when_silent is not None:
        raw.when_silent()
    _close(raw)
    return silent


def judged(raw: Connection[Any], error: Error) -> Error:
    """Give the error to raise: the same, or `SessionEnded` where the session is no good, which is then closed."""
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


def _close(raw: Connection[Any]) -> None:
    """Close the session and those that its pool keeps: they lead to the same server, and know tables as they were.

    Without this each would have to fail before it is replaced.
    """
    pool = getattr(raw, "_pool", None)
    raw.close()
    if pool is not None:
        pool.drain()
