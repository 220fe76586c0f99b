"""Effects outside our databases: what a service must provide so that the kit can run them exactly once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orchestration.participant.breaker import Breaker


class OutcomeUnknown(Exception):
    """The other side forgot the key before it gave a definite answer: a person must look."""


@dataclass(frozen=True)
class Keys:
    """Idempotency keys to call with: `own` for this operation, `action` for the action of the same step.

    Both come from (saga, step, operation), never from the attempt. For an action they are equal. `forgotten` says that
    the other side may have forgotten `action`: it can be read, but calling under it again protects from nothing.
    """

    own: str
    action: str
    forgotten: bool = False


@dataclass(frozen=True)
class Outside:
    """A command carried out at a gateway or carrier. The kit runs these, in this order, and owns every commit.

    `call(request, keys) -> reply` does it. No transaction is open; the ledger row says *started*.
    `find(request, keys) -> reply | None` asks what became of an earlier call under `keys.own`; None is "not known":
    the kit then calls again under the same key, so that a late first call finds the key taken.
    `record(request, reply) -> answer | None` writes our own rows, in the transaction that ends the ledger row.
    Each may raise a Refusal (a definite no); anything else means nobody knows.
    `key_lifetime`: how long `find` knows of an earlier call; None when it reads the other side's books, which are kept.
    """

    call: Callable[[Any, Keys], Any]
    find: Callable[[Any, Keys], Any | None]
    record: Callable[[Any, Any], Any | None]
    breaker: Breaker
    key_lifetime: timedelta | None
