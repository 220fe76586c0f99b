"""Sends a transaction's statements in few round trips.

A statement whose result is not needed is sent together with our next statement whose result is needed, and before any
statement of Django's.

Each round trip wakes two processes, which costs more than most statements. PostgreSQL takes several statements in one
round trip (pipeline mode, libpq manual 34.5). If one fails, those after it do not run, nor does the COMMIT.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections
from psycopg.pq import TransactionStatus

from orchestration.db.pipeline import COMMIT, Asked, answered, written

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
SAVEPOINTS = ("SAVEPOINT", "RELEASE SAVEPOINT")
ROLLBACK_TO = "ROLLBACK TO "


class RoundTrips:
    """The statements of one transaction on one connection, Django's and ours, in the order in which they were given."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._waiting: list[Asked] = []

    def later(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Add the statement to those that wait. It runs before the next statement, at the latest before the COMMIT."""
        self._waiting.append(_asked(statement, parameters))

    def execute(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        """Run the waiting statements, then this one. Return its rows."""
        return self._run([*self._waiting, _asked(statement, parameters)])

    def flush(self) -> None:
        """Run the waiting statements."""
        if self._waiting:
            self._run(self._waiting)

    def _run(self, asked: list[Asked]) -> list[Any]:
        self._connection.ensure_connection()
        raw = self._connection.connection
        if not raw.autocommit and raw.info.transaction_status == TransactionStatus.IDLE:  # begins a transaction
            asked = [Asked(BEGIN), *asked]  # psycopg's cursors would wait for a BEGIN of their own
        with self._connection.wrap_database_errors:
            trip = written(raw, asked)
            self._waiting = []
            return answered(trip)

    def end(self) -> None:
        """Run the waiting statements. Commit the outermost transaction, so that Django has nothing left to commit."""
        if not self._connection.savepoint_ids and not self._connection.needs_rollback:
            self.later(COMMIT)
        self.flush()

    def wrap(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Postpone Django's savepoints, and run the waiting statements before its others (an `execute_wrapper`)."""
        if sql.startswith(SAVEPOINTS):
            return self.later(sql)
        if sql.startswith(ROLLBACK_TO):
            self._take_back(sql.removeprefix(ROLLBACK_TO))
        self.flush()
        return execute(sql, params, many, context)

    def _take_back(self, savepoint: str) -> None:
        """Discard the statements that wait since the savepoint: all of them, if it has been sent."""
        waiting = [each.statement for each in self._waiting]
        self._waiting = self._waiting[: waiting.index(savepoint) + 1] if savepoint in waiting else []


@contextmanager
def gathered(alias: str) -> Iterator[None]:
    """Gather the statements of the transaction that is open on the alias, and commit it at the end."""
    connection: Any = connections[alias]
    if trips := of(connection):  # a nested transaction is part of the outer one
        yield
        trips.end()
        return
    connection.round_trips = trips = RoundTrips(connection)
    try:
        with connection.execute_wrapper(trips.wrap):
            yield
        trips.end()
    finally:
        connection.round_trips = None


def of(connection: Any) -> RoundTrips | None:
    """Return the round trips of the connection's open transaction, or None when its statements are not gathered."""
    return getattr(connection, "round_trips", None)


def _asked(statement: str, parameters: Sequence[Any]) -> Asked:
    return Asked(statement, parameters, recurs=not statement.startswith(SAVEPOINTS))  # their names are new each time
