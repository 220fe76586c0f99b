"""Effects outside our databases: what a service must provide so that the kit can run them exactly once."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from django.conf import settings

from orchestration.contracts.codec import check_carried
from orchestration.contracts.command import Action, Compensation
from orchestration.participant.breaker import Breaker
from orchestration.participant.refusals import PermanentFailure

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class OutcomeUnknown(PermanentFailure):
    """The other side forgot the key before it gave a definite answer: a person must look."""


def key_of(saga_id: UUID, command: Action | Compensation) -> str:
    """Return the idempotency key of a saga's command: (saga, step, operation), never the attempt."""
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
class ExternalCommand(ABC, Generic[Request, Reply]):
    """A command carried out at a gateway or carrier. The kit calls its methods, and owns every commit.

    Each method may raise a Refusal, a definite no. After any other error the outcome is unknown.

    :raises NotCarried: on subclassing, when `facts` cannot be read from what an operator writes.
    """

    breaker: Breaker
    key_lifetime: timedelta | None
    """How long `find` knows of an earlier call; None when it reads the other side's books, which are kept."""

    facts: ClassVar[type | None] = None
    """A dataclass of the texts that `reported` needs; its docstring tells the operator which are needed when.
    None if no operator can report the outcome."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.facts is not None:
            check_carried(cls.facts)

    def local_reply(self, request: Request) -> Reply | None:
        """Return the reply when no external call is needed, else None."""
        return None

    def check(self, request: Request) -> None:
        """Check that this process can make the call. If not, no row says that the call may have been made.

        :raises CannotCall: when it cannot.
        """

    @abstractmethod
    def call(self, request: Request, keys: Keys) -> Reply:
        """Make the call. No transaction is open; the ledger row says *started*."""

    @abstractmethod
    def find(self, request: Request, keys: Keys) -> Reply | None:
        """Return what an earlier call under `keys.own` has led to; None when the other side does not know of it.

        After None the kit calls again under the same key, so that a late first call finds the key taken.
        """

    def reported(self, request: Request, facts: Any) -> Reply:
        """Return the reply that an operator reports, as `find` would return it.

        :raises Malformed: naming the fact that cannot be.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no facts from an operator")

    def record(self, request: Request, reply: Reply) -> Any:
        """Write the service's own rows and return the answer, in the transaction that concludes the ledger row."""
        raise NotImplementedError(f"{type(self).__name__} gives neither record nor record_all")

    def record_all(self, replied: Sequence[tuple[Request, Reply]]) -> Sequence[Any]:
        """Record several replies and return the answer to each, as `Together` does. Override it to save statements."""
        return [self.record(request, reply) for request, reply in replied]

    @property
    def repeatable_for(self) -> timedelta | None:
        """Return how long after its first call it may be called again; None: for ever.

        It ends `KEY_MARGIN` before the key does, so that an operator still finds the call there under its key.
        """
        return None if self.key_lifetime is None else self.key_lifetime - settings.KEY_MARGIN
