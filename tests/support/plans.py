"""Query plans of PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper


@contextmanager
def by_indexes(alias: str) -> Iterator[CursorWrapper]:
    """Prefer indexes in query plans during the block. Otherwise PostgreSQL reads the whole table of a test's
    few rows.
    """
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield cursor
