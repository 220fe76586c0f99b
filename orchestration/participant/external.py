"""The interface of external commands, which a service implements so that the kit can run each of them exactly once."""

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
    """The external system may have forgotten the key before it gave a definite answer. Operator action required."""


def key_of(saga_id: UUID, command: Action | Compensation) -> str:
    """Return the idempotency key of a saga's command. It names saga, step and operation, but not the attempt."""
    return f"{saga_id}:{command.step}:{'action' if isinstance(command, Action) else 'compensation'}"


@dataclass(frozen=True)
class Keys:
    """The idempotency keys of a call: `own` for this operation, `action` for the action of the same step.

    Both name saga, step and operation, but not the attempt. For an action they are equal. `forgotten`: the external
    system may have forgotten `action`, so a second call with this key might have a second effect.
    """

    own: str
    action: str
    forgotten: bool = False


@dataclass(frozen=True)
class ExternalCommand(ABC, Generic[Request, Reply]):
    """A command at a gateway or carrier. The kit calls its methods, and commits before and after them.

    Each method may raise a Refusal, which is final. After any other error the outcome is unknown.

    :raises NotCarried: on subclassing, when an operator cannot enter `facts` as text.
    """

    breaker: Breaker
    key_lifetime: timedelta | None
    """How long `find` can find an earlier call. None: for ever, because the external system keeps its records."""

    facts: ClassVar[type | None] = None
    """A dataclass of the texts that `reported` needs. Its docstring is the help text for the operator.
    None if an operator cannot report the outcome."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.facts is not None:
            check_carried(cls.facts)

    def local_reply(self, request: Request) -> Reply | None:
        """Return the reply when no external call is needed, else None."""
        return None

    def check(self, request: Request) -> None:
        """Check that this process can make the call, before a ledger row says that the call may have been made.

        :raises CannotCall: when this process cannot make it.
        """

    @abstractmethod
    def call(self, request: Request, keys: Keys) -> Reply:
        """Make the call. No transaction is open, and the ledger row is *started* or *undoing*."""

    @abstractmethod
    def find(self, request: Request, keys: Keys) -> Reply | None:
        """Return the reply to an earlier call with `keys.own`, or None if the external system does not know of one.

        After None the kit calls again with the same key, so that a late first call finds the key taken.
        """

    def reported(self, request: Request, facts: Any) -> Reply:
        """Return the reply that an operator reports, as `find` would return it.

        :raises Malformed: when a fact is impossible. The message names the fact.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no facts from an operator")

    def record(self, request: Request, reply: Reply) -> Any:
        """Write the service's rows and return the answer, in the transaction that writes the outcome to the ledger."""
        raise NotImplementedError(f"{type(self).__name__} gives neither record nor record_all")

    def record_all(self, replied: Sequence[tuple[Request, Reply]]) -> Sequence[Any]:
        """Record several replies and return the answer to each, as `Together` does. Override it to save statements."""
        return [self.record(request, reply) for request, reply in replied]

    @property
    def repeatable_for(self) -> timedelta | None:
        """Return how long after the first call another call may be made; None for ever.

        This ends `KEY_MARGIN` before the external system forgets the key, so that an operator can still look it up.
        """
        return None if self.key_lifetime is None else self.key_lifetime - settings.KEY_MARGIN
