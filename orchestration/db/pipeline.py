"""Sends several statements to PostgreSQL in one round trip, without psycopg's cursors.

psycopg's own pipeline waits, in Python, at each statement. For a few short statements that takes several times as long
as running them. Here all statements are sent together, and one wait is for all answers (libpq manual 34.5). Each text
is prepared once for each connection.
"""

import re
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from psycopg import Connection, Error, NotSupportedError, OperationalError, adapters
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.errors import InFailedSqlTransaction, error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.types.string import TextLoader

from orchestration.db.sessions import close_unanswered, closed_if_unusable, deadline_of

COMMIT = "COMMIT"
PREPARED_AT_MOST = 200
"""The most statements that one connection prepares: they last as long as it and use the server's memory."""
CANCELLED_WITHIN = 2  # seconds
CLIENT_ENCODING = "utf-8"  # as Django sets it for every connection

_PLACEHOLDER = re.compile("%s|%%")


class Asked(NamedTuple):
    """A statement with a `%s` for each parameter. `recurs`: the same text will be used again, so it is prepared."""

    statement: str
    parameters: Sequence[Any] = ()
    recurs: bool = True


class _Outgoing(NamedTuple):
    """A statement in the server's format. `name` is that of the prepared statement, or empty; `is_known`: it exists."""

    text: bytes
    values: Sequence[Buffer | None]
    types: tuple[int, ...]
    name: bytes
    is_known: bool


class _Adapting(NamedTuple):
    """How values are read and written: JSON stays text, as in Django, and psycopg reads times without Python."""

    adapters: AdaptersMap
    connection: Connection[Any]


_Prepared = dict[tuple[bytes, tuple[int, ...]], bytes]
"""Names of prepared statements, by text and types of the parameters."""

_prepared: WeakKeyDictionary[Connection[Any], _Prepared] = WeakKeyDictionary()
_numbers = count()
_adapters = AdaptersMap(adapters)
_adapters.register_loader("jsonb", TextLoader)


@dataclass(frozen=True)
class Written:
    """Statements that are ready to be sent. From here on only the server can raise errors."""

    raw: Connection[Any]
    outgoing: Sequence[_Outgoing]
    adapter: Any
    """psycopg's Transformer."""


def written(raw: Connection[Any], asked: Sequence[Asked]) -> Written:
    """Encode the statements for this connection. Send nothing.

    :raises psycopg.Error: when a parameter cannot be written.
    """
    adapter = Transformer(_Adapting(_adapters, raw))
    return Written(raw, list(_written(asked, adapter, _prepared.setdefault(raw, {}))), adapter)


def answered(trip: Written) -> list[Any]:
    """Send the statements in one round trip, run them in order, and return the rows of the last.

    :raises psycopg.Error: the first error. Statements after it were not run.
    """
    prepared, outgoing, results = _prepared[trip.raw], trip.outgoing, _exchanged(trip.raw, trip.outgoing)
    _remember(prepared, outgoing, results)
    if error := _error(results, trip.raw):
        raise error
    if outgoing[-1].text == COMMIT.encode() and results[-1].command_status == b"ROLLBACK":
        raise InFailedSqlTransaction("nothing was committed: an error before the COMMIT had been passed over")
    trip.adapter.set_pgresult(results[-1])
    rows: list[Any] = trip.adapter.load_rows(0, results[-1].ntuples, tuple)
    return rows


def _written(asked: Sequence[Asked], adapter: Any, prepared: _Prepared) -> Iterator[_Outgoing]:
    names = dict(prepared)
    for statement, parameters, recurs in asked:
        text = _numbered(statement)
        values = adapter.dump_sequence(parameters, [PyFormat.TEXT] * len(parameters))
        types = adapter.types or ()
        name, is_known = names.get((text, types), b""), True
        if not name and recurs and len(names) < PREPARED_AT_MOST:
            names[text, types] = name = b"shop_%d" % next(_numbers)
            is_known = False
        yield _Outgoing(text, values, types, name, is_known)


@lru_cache(maxsize=1000)
def _numbered(statement: str) -> bytes:
    """Replace each `%s` by the server's placeholders: $1, $2, …"""
    numbers = count(1)
    return _PLACEHOLDER.sub(lambda each: "%" if each[0] == "%%" else f"${next(numbers)}", statement).encode()


def _exchanged(raw: Connection[Any], outgoing: Sequence[_Outgoing]) -> list[PGresult]:
    """Send all statements. Return one result for each preparation and each execution.

    A connection that is left in the middle of an exchange is closed, and the pool discards it.
    """
    pgconn, results = raw.pgconn, list[PGresult]()
    pgconn.enter_pipeline_mode()
    try:
        for each in outgoing:
            _send(pgconn, each)
        pgconn.pipeline_sync()
        results.extend(_results(raw))
        pgconn.exit_pipeline_mode()
    except Error as lost:
        server_error = _error(results, raw)  # the server may have said why it closes the connection
        raw.close()
        if server_error:
            raise server_error from lost
        raise
    except BaseException:  # otherwise the server would continue, up to a COMMIT
        with suppress(Exception):
            raw.cancel_safe(timeout=CANCELLED_WITHIN)
        raw.close()
        raise
    return results


def _error(results: Sequence[PGresult], raw: Connection[Any]) -> Error | None:
    """Return the first error, if there is one. If the session can no longer be used, close it."""
    failed = (result for result in results if result.status == ExecStatus.FATAL_ERROR)
    return next((closed_if_unusable(raw, error_from_result(result, CLIENT_ENCODING)) for result in failed), None)


def _send(pgconn: PGconn, each: _Outgoing) -> None:
    if not each.name:
        pgconn.send_query_params(each.text, each.values, each.types)
        return
    if not each.is_known:
        pgconn.send_prepare(each.name, each.text, each.types)
    pgconn.send_query_prepared(each.name, each.values)


def _results(raw: Connection[Any]) -> Iterator[PGresult]:
    """Yield the server's results up to the end of the pipeline.

    :raises SessionEnded: when no answer came in time.
    """
    pgconn, socket, until = raw.pgconn, select.poll(), deadline_of(raw)
    unsent = True
    while True:
        unsent = unsent and bool(pgconn.flush())
        if pgconn.is_busy():
            socket.register(pgconn.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            if not socket.poll(max(0.0, until - time.monotonic()) * 1000):
                raise close_unanswered(raw)
            pgconn.consume_input()
            continue
        result = pgconn.get_result()
        if result is None and pgconn.status == ConnStatus.BAD:
            raise OperationalError(f"the connection is lost: {pgconn.get_error_message()}")
        if result is None:  # between the results of two statements
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return
        if result.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT):
            raise NotSupportedError("COPY cannot be one of several statements")
        yield result


def _remember(prepared: _Prepared, outgoing: Sequence[_Outgoing], results: Sequence[PGresult]) -> None:
    """Remember the statements that the server has prepared. They stay prepared even if the transaction fails."""
    answers = iter(results)
    for each in outgoing:
        if each.name and not each.is_known and next(answers).status == ExecStatus.COMMAND_OK:
            prepared[each.text, each.types] = each.name
        next(answers)
