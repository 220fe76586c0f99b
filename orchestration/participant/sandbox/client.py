"""The client of a sandbox: reads and writes its books, with network faults that test tokens select."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from orchestration.participant.sandbox.books import BookedOperation, SandboxBooks
from orchestration.participant.sandbox.tokens import Behaviour, NetworkFault, Tokens

Op = TypeVar("Op", bound=BookedOperation)
Reply = TypeVar("Reply")


@contextmanager
def reaching(database: str, down: type[Exception]) -> Iterator[None]:
    """Raise `down` when the connection to the sandbox's database is lost."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        connections[database].close()
        raise down(str(error)) from error


class SandboxClient:
    """An adapter that needs no network. `sleep` and `now` are its clock. A call times out after `timeout`.

    A subclass sets its books, its test tokens, and the errors of its port.
    """

    own_books: ClassVar[SandboxBooks[Any]]
    tokens: ClassVar[Tokens]
    timed_out: ClassVar[type[Exception]]
    broken: ClassVar[type[Exception]]

    key_lifetime = None  # no limit: the books are kept, and `find` reads them

    def __init__(
        self,
        *,
        timeout: timedelta | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._timeout = timeout or settings.SANDBOX_TIMEOUT
        self._sleep = sleep
        self._now = now

    def _write(self, asked: Op, behaviour: Behaviour | None, book: Callable[[Op], Reply]) -> Reply:
        """Book the operation, with the network fault that the test token selects, if any."""
        if behaviour is None or not isinstance(behaviour.trait, NetworkFault):
            return book(asked)
        nth_call = self.own_books.count_call(asked.key)
        if behaviour.fails(NetworkFault.FAIL, nth_call):
            raise self.broken("503")
        if nth_call > 1:
            return book(asked)
        if behaviour.trait is NetworkFault.ARRIVES_LATE:
            self.own_books.expect_arrival(asked, arrives_at=self._now() + timedelta(seconds=behaviour.number))
        if behaviour.trait in (NetworkFault.TIMEOUT_BEFORE, NetworkFault.ARRIVES_LATE):
            raise self._time_out()
        reply = book(asked)
        if behaviour.trait is NetworkFault.TIMEOUT_AFTER or behaviour.number > self._timeout.total_seconds():
            raise self._time_out()
        self._sleep(behaviour.number)
        return reply

    def _fail_if_asked(self, test_token: str, trait: StrEnum, key: str) -> None:
        """Fail this call, if the token selects this trait and fewer than N calls under the key have failed."""
        behaviour = self.tokens.read(test_token)
        if behaviour and behaviour.fails(trait, self.own_books.count_call(key)):
            raise self.broken("503")

    def _let_arrive(self, key: str) -> None:
        self.own_books.let_arrive(now=self._now(), key=key)

    def _time_out(self) -> Exception:
        self._sleep(self._timeout.total_seconds())
        return self.timed_out(f"no answer within {self._timeout}")
