"""How PostgreSQL would answer a query."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper


@contextmanager
def by_indexes(alias: str) -> Iterator[CursorWrapper]:
    """Inside, plans use an index wherever one fits: of the few rows of a test they would read the whole table."""
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        yield cursor
