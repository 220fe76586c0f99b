"""A made-up saga to test the engine's decisions with, as it comes, and the telling of what happens to it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from orchestration.contracts.command import Action, Compensation
from orchestration.protocol.events import (
    CancelRequested,
    ChainCompleted,
    CompletedSteps,
    Event,
    Paused,
    PivotBarred,
    PivotFoundDone,
    Resumed,
    StepFailed,
    StepRefused,
    StepsUndone,
    Unpaused,
)
from orchestration.protocol.saga import Pivot, Retry, Saga, Step
from orchestration.protocol.states import Command, Entry, Forward, Kind, Operation, Phase, State
from orchestration.protocol.transitions import decide
from orchestration.sagas.checkout import checkout

NOON = datetime(2026, 7, 14, 12, 0, tzinfo=UTC)
HALF = 0.5
"""The jitter of every story: a wait is half of what it can be at most."""


@dataclass(frozen=True)
class TripRequested:
    trip_id: UUID
    traveller: str
    nights: int


@dataclass(frozen=True)
class TripOnly:
    saga_id: UUID
    trip_id: UUID


@dataclass(frozen=True)
class BookRoom:
    saga_id: UUID
    trip_id: UUID
    nights: int


@dataclass(frozen=True)
class RoomBooked:
    room: str


@dataclass(frozen=True)
class SeatHeld:
    seat: str


@dataclass(frozen=True)
class IssueTicket:
    saga_id: UUID
    traveller: str
    seat: str


@dataclass(frozen=True)
class SendItinerary:
    saga_id: UUID
    traveller: str
    room: str
    seat: str


rent_car = Action("cars.rent_car", request=TripOnly)
return_car = Compensation("cars.return_car", request=TripOnly, undoes=rent_car)
book_room = Action("hotels.book_room", request=BookRoom, answer=RoomBooked)
cancel_room = Compensation("hotels.cancel_room", request=TripOnly, undoes=book_room)
hold_seat = Action("airlines.hold_seat", request=TripOnly, answer=SeatHeld)
drop_seat = Compensation("airlines.drop_seat", request=TripOnly, undoes=hold_seat)
issue_ticket = Action("airlines.issue_ticket", request=IssueTicket)
award_miles = Action("loyalty.award_miles", request=TripOnly)
send_itinerary = Action("post.send_itinerary", request=SendItinerary)

CAR, ROOM, SEAT, TICKET = "rent_car", "book_room", "hold_seat", "issue_ticket"
MILES, ITINERARY = "award_miles", "send_itinerary"
ALL = (CAR, ROOM, SEAT, TICKET, MILES, ITINERARY)
BACK = (SEAT, ROOM, CAR)

trip = Saga(
    name="trip.v1",
    request=TripRequested,
    deadline=timedelta(hours=1),
    steps=(
        Step(rent_car, compensation=return_car, retry=Retry(park_after=2)),
        Step(book_room, compensation=cancel_room, retry=Retry(attempts=3, park_after=2)),
        Step(hold_seat, compensation=drop_seat, retry=Retry(first=timedelta(seconds=4), park_after=2)),
        Pivot(issue_ticket),
        Step(award_miles),
        Step(send_itinerary, retry=Retry(park_after=2)),
    ),
)

NO = {"code": "none_left", "detail": "There are none left.", "facts": {}}
BROKE = {"class": "Timeout", "message": "no answer"}
RESUMED = Resumed(by="ada", reason="the hotel answers again")
PAUSED = Paused(by="ada", reason="the hotel is on fire")
UNPAUSED = Unpaused(by="ada", reason="the fire is out")
SAGAS = (trip, checkout)
"""What holds for the one made up here must hold for the one we ship."""


def names(saga: Saga) -> tuple[str, ...]:
    return tuple(step.name for step in saga.steps)


def backwards(saga: Saga) -> tuple[str, ...]:
    """The steps that can be compensated, in the order in which they are."""
    return tuple(step.name for step in reversed(saga.compensable))


def at_noon(*steps: str) -> CompletedSteps:
    """The completed steps of a message that passed these steps."""
    return tuple((step, NOON) for step in steps)


@dataclass
class Story:
    """One saga's life so far: every command sent, every log entry written, and where it stands."""

    saga: Saga = trip
    state: State = field(default_factory=State)
    sent: list[Command] = field(default_factory=lambda: [Forward(0)])
    log: list[Entry] = field(default_factory=list)
    due: Any = None

    def hears(self, *events: Event) -> "Story":
        """Let the events happen, each of which must change something."""
        for event in events:
            decision = decide(self.saga, self.state, event, jitter=HALF)
            assert decision is not None, f"{event} changed nothing"
            self.state, self.due = decision.state, decision.due
            self.log.extend(decision.entries)
            if decision.command:
                self.sent.append(decision.command)
        return self

    def ignores(self, *events: Event) -> "Story":
        """See that none of the events changes anything."""
        for event in events:
            assert decide(self.saga, self.state, event, jitter=HALF) is None, f"{event} was not ignored"
        return self

    def failure(self, step: str, *passed: str, token: int = 0, **more: Any) -> StepFailed:
        """The report that a step of the newest dispatch (or of `token`) failed, after those that it `passed`."""
        operation = {Phase.BARRING: Operation.BAR, Phase.COMPENSATING: Operation.COMPENSATION}.get(
            self.state.phase, Operation.ACTION
        )
        return StepFailed(step, operation, token or self.state.token, BROKE, at_noon(*passed), **more)

    def fails(self, step: str, *passed: str, **more: Any) -> "Story":
        return self.hears(self.failure(step, *passed, **more))

    def is_refused(self, step: str, *passed: str) -> "Story":
        return self.hears(StepRefused(step, NO, at_noon(*passed)))

    @property
    def kinds(self) -> list[Kind]:
        return [entry.kind for entry in self.log]


def compensating() -> Story:
    """A cancelled trip whose pivot is barred."""
    return Story().hears(CancelRequested(), PivotBarred())


def finishing() -> Story:
    """A cancelled trip whose pivot was faster."""
    return Story().hears(CancelRequested(), PivotFoundDone())


def completed() -> Story:
    return Story().hears(ChainCompleted(at_noon(*ALL)))


def compensated() -> Story:
    return compensating().hears(StepsUndone(at_noon(*BACK)))
