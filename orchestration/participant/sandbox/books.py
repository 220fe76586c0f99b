"""A sandbox's books: its operations, each under its own idempotency key, as a real system stores them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import F


class CallCount(models.Model):
    """How often a key was called. Only kept for tokens whose behaviour depends on it."""

    key = models.TextField(primary_key=True)
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.key}: {self.calls}"


class BookedOperation(Protocol):
    """A row of the books: one operation that was executed, or refused permanently, under one key."""

    def __init__(self, **columns: Any) -> None: ...

    @property
    def key(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    def save(self, *, force_insert: bool) -> None: ...


Op = TypeVar("Op", bound=BookedOperation)


@dataclass(frozen=True)
class SandboxBooks(Generic[Op]):
    """The tables of one sandbox, in the database of this alias.

    A `late_arrival` has the columns `key` and `arrives_at`, and some columns of the operation. It becomes an operation
    of the kind `arrives_as`.
    """

    database: str
    operation: type[Op]
    late_arrival: type[models.Model]
    arrives_as: str
    call: type[CallCount]
    key_reused: type[Exception]

    def write(self, asked: Op) -> Op | None:
        """Insert the row and return it, or return the row that took its key before. A new key takes one statement.

        Return None if a rule other than the unique key forbids the operation.

        :raises key_reused: when the key was used for another request.
        """
        try:
            asked.save(force_insert=True)
        except IntegrityError:
            return self.earlier(asked)
        return asked

    def earlier(self, asked: Op) -> Op | None:
        """Return the row that took the key before; None if the key is new.

        :raises key_reused: when the key was used for another request.
        """
        earlier: Op | None = _rows(self.operation).filter(key=asked.key).first()
        if earlier and earlier.fingerprint != asked.fingerprint:
            raise self.key_reused(asked.key) from None
        return earlier

    def count_call(self, key: str) -> int:
        """Count a call under `key`, and return the number of calls including this one."""
        calls = _rows(self.call)
        with transaction.atomic(using=self.database):
            calls.bulk_create([self.call(key=key)], ignore_conflicts=True)
            calls.filter(key=key).update(calls=F("calls") + 1)
            return int(calls.get(key=key).calls)

    def expect_arrival(self, asked: Op, *, arrives_at: datetime) -> None:
        """Store an operation that arrives later. The books do not show it until `arrives_at`."""
        columns = {name: getattr(asked, name) for name in self._late_columns()}
        _rows(self.late_arrival).create(arrives_at=arrives_at, **columns)

    def let_arrive(self, *, now: datetime, key: str | None = None) -> None:
        """Book the operations that have arrived by `now`, of one key or all. Drop those whose key is used by now."""
        due = _rows(self.late_arrival).filter(arrives_at__lte=now)
        for late in due if key is None else due.filter(key=key):
            columns = {name: getattr(late, name) for name in self._late_columns()}
            arrived = self.operation(kind=self.arrives_as, **columns)
            with transaction.atomic(using=self.database):
                _rows(self.operation).bulk_create([arrived], ignore_conflicts=True)
                late.delete()

    def _late_columns(self) -> Iterator[str]:
        for field in self.late_arrival._meta.concrete_fields:
            if field.name not in ("id", "arrives_at"):
                yield field.name


def fingerprint_of(*asked: object) -> str:
    """Return a digest of the request, so that its key cannot be used for another request.

    The order of fields does not count: a value read from a message has them in the order of the message.
    """
    return hashlib.sha256(json.dumps(asked, default=vars, sort_keys=True).encode()).hexdigest()


def _rows(model: Any) -> Any:
    return model._default_manager
