"""Databases that fail, table by table."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections


@contextmanager
def missing_table(alias: str, table: str) -> Iterator[None]:
    """Let every statement on the table fail during the block."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE {table}_away RENAME TO {table}")
