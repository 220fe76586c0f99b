"""Commits as crash points: of a transaction, or of one statement."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db import connections, transaction

from orchestration import failpoints as boundaries
from orchestration.db.sql import execute
from orchestration.db.statement_buffer import gathered
from orchestration.failpoints import Point


@contextmanager
def committing(alias: str, point: Point) -> Iterator[None]:
    """Open a transaction on the alias; what is sent after the commit is sent after the point, too."""
    with transaction.atomic(using=alias):
        _follow(alias, point)
        with gathered(alias):
            yield
            boundaries.before(point)


def commit_at_once(alias: str, point: Point, statement: str, *parameters: Any) -> list[Any]:
    """Run one statement, which is its own transaction, and give its rows. In the caller's it is a savepoint."""
    boundaries.before(point)
    with transaction.atomic(using=alias) if connections[alias].in_atomic_block else nullcontext():
        rows = execute(alias, statement, *parameters)
    _follow(alias, point)
    return rows


def _follow(alias: str, point: Point) -> None:
    if boundaries.is_armed():
        transaction.on_commit(lambda: boundaries.after(point), using=alias)
