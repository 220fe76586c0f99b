"""Effects outside our databases: what a service must provide so that the kit can run them exactly once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from orchestration.contracts.codec import check_carried
from orchestration.contracts.command import Action, Compensation
from orchestration.participant.batch import Work
from orchestration.participant.breaker import Breaker
from orchestration.participant.refusals import PermanentFailure


class OutcomeUnknown(PermanentFailure):
    """The other side forgot the key before it gave a definite answer: a person must look."""


def key_of(saga_id: UUID, command: Action | Compensation) -> str:
    """The idempotency key of a saga's command: (saga, step, operation), never the attempt."""
    return f"{saga_id}:{command.step}:{'action' if isinstance(command, Action) else 'compensation'}"


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
class Told:
    """How a service takes a person's word for what became of a command.

    `facts` is a dataclass of the texts it wants; its docstring tells the person which are needed when.
    `reply(request, facts) -> reply` makes of them what `find` would have found.

    :raises Malformed: from `reply`, naming the fact that cannot be.
    :raises NotCarried: when `facts` cannot be read from what a person writes.
    """

    facts: type
    reply: Callable[[Any, Any], Any]

    def __post_init__(self) -> None:
        check_carried(self.facts)


@dataclass(frozen=True)
class Outside:
    """A command carried out at a gateway or carrier. The kit runs these, in this order, and owns every commit.

    `call(request, keys) -> reply` does it. No transaction is open; the ledger row says *started*.
    `find(request, keys) -> reply | None` asks what became of an earlier call under `keys.own`; None is "not known":
    the kit then calls again under the same key, so that a late first call finds the key taken.
    `record(request, reply) -> answer | None` writes our own rows, in the transaction that ends the ledger row; it may
    be one that does several `Together`.
    Each may raise a Refusal (a definite no); anything else means nobody knows.
    `check(request)` raises CannotCall when an action's call cannot be made from here: then no row says that it may have
    been made.
    `local_reply(request)` returns the reply when no external call is needed, else None.
    `key_lifetime`: how long `find` knows of an earlier call; None when it reads the other side's books, which are kept.
    `told`: how a person with a statement in hand settles it; None when nobody can.
    """

    call: Callable[[Any, Keys], Any]
    find: Callable[[Any, Keys], Any | None]
    record: Work
    breaker: Breaker
    key_lifetime: timedelta | None
    told: Told | None = None
    check: Callable[[Any], object] | None = None
    local_reply: Callable[[Any], Any | None] | None = None

    def local_reply_to(self, request: Any) -> Any | None:
        """Return the reply when no external call is needed, else None."""
        return self.local_reply(request) if self.local_reply else None

    @property
    def repeated_for(self) -> timedelta | None:
        """How long after its first call it may be called again; None: for ever.

        It ends `KEY_MARGIN` before the key does, so that a person still finds the call there under its key.
        """
        return None if self.key_lifetime is None else self.key_lifetime - settings.KEY_MARGIN
