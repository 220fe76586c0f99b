"""Read-only snapshots of one database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error, connections, transaction

from orchestration.db.sessions import MARGIN, longer_waits
from orchestration.operators.audit.values import CannotAudit
from orchestration.text.formatting import one_line

STATEMENT_TIMEOUT_MS = 600_000  # sorting a whole table may take longer than any request is allowed to
IDLE_TIMEOUT_MS = 60_000  # between two parts of a table; a read-only transaction blocks no other


@contextmanager
def snapshot(alias: str) -> Iterator[None]:
    """Run the block in a read-only transaction, so that all of its statements see the same snapshot.

    :raises CannotAudit: when the database cannot be reached or lacks a table.
    """
    try:
        with transaction.atomic(using=alias, durable=True):
            with connections[alias].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
                cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}")
            with longer_waits(connections[alias].connection, STATEMENT_TIMEOUT_MS / 1000 + MARGIN):
                yield
    except Error as error:
        name = connections[alias].settings_dict["NAME"]
        raise CannotAudit(f"database {alias} ({name}): {one_line(error)}") from error
