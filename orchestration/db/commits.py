"""Commits of a transaction or of one statement, each with a failpoint."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.db import connections, transaction

from orchestration import failpoints
from orchestration.db.sql import execute
from orchestration.db.statement_buffer import gathered
from orchestration.failpoints import Failpoint


@contextmanager
def committing(alias: str, failpoint: Failpoint) -> Iterator[None]:
    """Open a transaction on the alias. Callbacks on commit run after the failpoint, too."""
    with transaction.atomic(using=alias):
        _follow(alias, failpoint)
        with gathered(alias):
            yield
            failpoints.before(failpoint)


def commit_at_once(alias: str, failpoint: Failpoint, statement: str, *parameters: Any) -> list[Any]:
    """Run one statement as its own transaction, or as a savepoint of the caller's. Return its rows."""
    failpoints.before(failpoint)
    with transaction.atomic(using=alias) if connections[alias].in_atomic_block else nullcontext():
        rows = execute(alias, statement, *parameters)
    _follow(alias, failpoint)
    return rows


def _follow(alias: str, failpoint: Failpoint) -> None:
    if failpoints.is_armed():
        transaction.on_commit(lambda: failpoints.after(failpoint), using=alias)
