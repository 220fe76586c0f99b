"""A service as a participant: its ledger, its commands, and what the orchestrator reads of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestration.contracts.command import Action, Compensation, Query
from orchestration.participant.audit import ServiceAudit
from orchestration.participant.batch import Work
from orchestration.participant.external import ExternalCommand
from orchestration.participant.later_outcomes import LaterOutcomes
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.ledger_store import LedgerTable, Rows
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.money import MoneyReader
from orchestration.participant.refusals import Refusal
from orchestration.participant.search_key import Finder

ParticipantCommand = Action | Compensation


class BadParticipant(Exception):
    """A service declares what the kit cannot carry out. The message names service and command."""


class NotAParticipant(LookupError):
    """No service of this name, or it does not know the command or query."""


@dataclass(frozen=True)
class Participant:
    """One service that takes part in sagas. `service` is also its database alias and its queue.

    `commands` maps each contract to a function `(request) -> answer | None` in the kit's transaction, to one that
    handles several requests (`Together`), or to an `ExternalCommand`. `queries` maps each query contract to a selector.
    """

    service: str
    ledger: type[LedgerRow]
    commands: Mapping[ParticipantCommand, Work | ExternalCommand]
    queries: Mapping[Query, Callable[..., Any]] = field(default_factory=dict)
    refusal_of_duplicate: Mapping[Action, Callable[[Any], Refusal | None]] = field(default_factory=dict)
    """Returns the refusal that names the existing row when an action's write violates a unique constraint. None: the
    action failed. Not for external commands."""
    later_outcomes: tuple[LaterOutcomes[Any], ...] = ()
    """Outcomes that the external system decides after their step is done."""
    money: MoneyReader | None = None
    """How to read a saga's money, if this service moves money."""
    audit: ServiceAudit = field(default_factory=ServiceAudit)
    """What an audit checks of this service, apart from the ledger."""
    finders: tuple[Finder, ...] = ()
    """How to find sagas by other values than ids."""
    locks: LockTables | None = None
    """Its tables of locks, if its actions hold, release or act under one."""
    kept_in: Rows | None = None
    """Where ledger and locks are kept, if not in the database of that alias: in memory, for simulations."""

    def __post_init__(self) -> None:
        """Check the commands.

        :raises BadParticipant: when an external command takes or releases a lock. A step that is done in the service's
            own database takes it first, so that a saga that waits has not made a call.
        """
        for command, work in self.commands.items():
            action = command if isinstance(command, Action) else command.undoes
            if isinstance(work, ExternalCommand) and (action.holds or action.releases):
                raise BadParticipant(
                    f"{command.name} is external, so it cannot take or release a lock. Declare it on an action in the "
                    f"database of {self.service}"
                )

    @cached_property
    def rows(self) -> Rows:
        """Where ledger and locks are kept."""
        return self.kept_in or LedgerTable(self.ledger, self.service, self.locks)


_participants: dict[str, Participant] = {}


def add(participant: Participant) -> None:
    """Make the participant known to this process; `registration.register` also makes its tasks."""
    _participants[participant.service] = participant


def participants() -> Mapping[str, Participant]:
    """Return every participant of this process, by service."""
    return _participants


def participant_of(service: str) -> Participant:
    """Return the participant of the service.

    :raises NotAParticipant: when no such service is registered.
    """
    try:
        return _participants[service]
    except KeyError:
        raise NotAParticipant(f"no participant is called {service!r}") from None


def ask(query: Query, *args: Any) -> Any:
    """Answer a query of another service.

    :raises NotAParticipant: when no participant answers this query.
    """
    try:
        return participant_of(query.service).queries[query](*args)
    except KeyError:
        raise NotAParticipant(f"no participant answers {query.name!r}") from None
