"""Optimistic locking: work that checks the versions of the rows it has read, and is done again when one has changed."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Protocol, TypeVar

from django.db import transaction

from orchestration.db.transactions import VersionConflict

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)

VERSIONED_TRIES = 2
"""After so many version conflicts the rows are locked before they are read. Then no other transaction can be faster."""


class VersionedWork(Protocol[In_contra, Out_co]):
    """Work on rows that it reads first. With `lock` it must lock them as it reads them.

    :raises VersionConflict: when another transaction has changed a row since it was read.
    """

    def __call__(self, asked: In_contra, /, *, lock: bool) -> Out_co: ...


def optimistic(alias: str) -> Callable[[VersionedWork[In_contra, Out_co]], Callable[[In_contra], Out_co]]:
    """Repeat the decorated function after a version conflict, in the transaction that is open on the alias.

    Each of `VERSIONED_TRIES` tries runs in a savepoint, without locks. The try after them locks the rows.
    """

    def decorated(work: VersionedWork[In_contra, Out_co]) -> Callable[[In_contra], Out_co]:
        @wraps(work)
        def repeated(asked: In_contra, /) -> Out_co:
            for _ in range(VERSIONED_TRIES):
                with suppress(VersionConflict), transaction.atomic(using=alias):
                    return work(asked, lock=False)
            return work(asked, lock=True)

        return repeated

    return decorated
