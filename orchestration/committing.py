"""A transaction whose COMMIT is a crash point."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from orchestration import boundaries
from orchestration.boundaries import Point


@contextmanager
def committing(alias: str, point: Point) -> Iterator[None]:
    """Open a transaction on the alias; what is sent after the commit is sent after the point, too."""
    with transaction.atomic(using=alias):
        if boundaries.is_armed():
            transaction.on_commit(lambda: boundaries.after(point), using=alias)
        yield
        boundaries.before(point)
