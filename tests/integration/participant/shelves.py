"""A service in which one saga at a time may work at a shelf: in the database of orders, or in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.db.models import F
from uuid_utils.compat import uuid7

from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.execution.results import Ending
from orchestration.participant.breaker import Breaker
from orchestration.participant.external import ExternalCommand, Keys
from orchestration.participant.ledger_store import Call
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import Refusal
from orchestration.testing import step_runner
from orchestration.testing.clock import Clock
from orchestration.testing.fakes import AlwaysClosedBreaker
from orchestration.testing.memory_ledger import MemoryRows
from orders.models import Guard, Hold, Ledger, Turn


@dataclass(frozen=True)
class EnterAisle:
    saga_id: UUID
    shelf: str
    fence: int


@dataclass(frozen=True)
class Entered:
    shelf_fence: int


@dataclass(frozen=True)
class InAisle:
    saga_id: UUID
    shelf: str


@dataclass(frozen=True)
class UnderLock:
    saga_id: UUID
    shelf: str
    shelf_fence: int


SHELF = Lock("shelf", by="shelf", patience=timedelta(seconds=30))
AT_ONCE = Lock("shelf", by="shelf", patience=timedelta(0))

enter = Action("orders.enter", request=EnterAisle, answer=Entered, holds=SHELF)
back_out = Compensation("orders.back_out", request=InAisle, undoes=enter)
hurry = Action("orders.hurry", request=EnterAisle, answer=Entered, holds=AT_ONCE)
count = Action("orders.count", request=UnderLock, under=SHELF)
scan = Action("orders.scan", request=UnderLock, under=SHELF)
leave = Action("orders.leave", request=InAisle, releases=SHELF)


class Closed(Refusal):
    """The aisle is closed."""

    code = "closed"


@dataclass(frozen=True)
class Scanner(ExternalCommand[UnderLock, UnderLock]):
    """Scans outside of the service's database."""

    scanned: list[UUID] = field(default_factory=list)
    silent: set[UUID] = field(default_factory=set)

    def call(self, request: UnderLock, keys: Keys) -> UnderLock:
        if request.saga_id in self.silent:
            raise TimeoutError("no answer")
        self.scanned.append(request.saga_id)
        return request

    def find(self, request: UnderLock, keys: Keys) -> UnderLock | None:
        return request if request.saga_id in self.scanned else None

    def record(self, request: UnderLock, reply: UnderLock) -> None:
        """Do nothing: there is nothing to record."""


@dataclass
class Aisle:
    """The service, and what it did in order: (step, saga)."""

    rows: MemoryRows | None = None
    clock: Clock | None = None
    done: list[tuple[str, UUID]] = field(default_factory=list)
    refuses: set[UUID] = field(default_factory=set)
    fails: set[UUID] = field(default_factory=set)
    scanner: Scanner = field(default_factory=lambda: Scanner(cast(Breaker, AlwaysClosedBreaker()), None))
    meanwhile: Callable[[str], Any] = lambda step: None
    """Is called while a step is done."""

    def __post_init__(self) -> None:
        works: dict[Any, Any] = {
            scan: self.scanner,
            enter: lambda request: self._do("enter", request, Entered(getattr(request, "fence", 0))),
            hurry: lambda request: self._do("hurry", request, Entered(getattr(request, "fence", 0))),
            back_out: lambda request: self._do("back_out", request),
            count: lambda request: self._do("count", request),
            leave: lambda request: self._do("leave", request),
        }
        tables = LockTables(guard=Guard, hold=Hold, turn=Turn)
        self.participant = Participant("orders", Ledger, works, locks=tables, kept_in=self.rows)

    def _do(self, step: str, request: Any, answer: Any = None) -> Any:
        if request.saga_id in self.fails:
            raise OSError("the light is out")
        if request.saga_id in self.refuses:
            raise Closed
        self.done.append((step, request.saga_id))
        self.meanwhile(step)
        return answer

    def status(self, call: Call) -> str | None:
        row = self.participant.rows.read({call.saga_id}, call.step, lock=False).get(call.saga_id)
        return row.status if row else None

    def run(self, command: Action | Compensation, *calls: Call) -> list[Ending]:
        return step_runner.run(self.participant, command.name, calls)

    def outcome(self, command: Action | Compensation, call: Call) -> Any:
        """Run the command for one call, and return its outcome or the error that it raised."""
        [ending] = self.run(command, call)
        return ending.error or ending.outcome

    def outcomes(self, command: Action | Compensation, *calls: Call) -> list[Any]:
        return [ending.error or ending.outcome for ending in self.run(command, *calls)]

    def holder(self, shelf: str = "a") -> UUID | None:
        found = self.held(shelf)
        return found.saga_id if found else None

    def held(self, shelf: str = "a") -> Any:
        return next(iter(self.participant.rows.locks.held(f"shelf:{shelf}")), None)

    def queue(self, shelf: str = "a") -> list[UUID]:
        return [turn.saga_id for turn in self.participant.rows.locks.queued(f"shelf:{shelf}")]

    def let_pass(self, span: timedelta) -> None:
        """Let time pass for those who wait."""
        if self.clock:
            self.clock.advance(span)
        else:
            Turn.objects.using("orders").update(since=F("since") - span)


def call(shelf: str = "a", *, token: int = 1, saga_id: UUID | None = None, step: str = "enter", **known: Any) -> Call:
    saga = saga_id or uuid7()
    return Call(saga, step, token, known={"saga_id": str(saga), "shelf": shelf, **known})


def again(first: Call, *, token: int = 1, step: str = "enter", **known: Any) -> Call:
    """Return a later call of the same saga."""
    return Call(first.saga_id, step, token, known={**first.known, **known})
