"""Saga definitions that cannot work say so when they are made; those that can say where things are."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestration.contracts.codec import CARRIED
from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.protocol.saga import BadDefinition, Pivot, Retry, Saga, Step
from orchestration.sagas import UnknownDefinition, definition_of, definitions
from tests.unit.protocol import stories
from tests.unit.protocol.stories import book_room, cancel_room, hold_seat, issue_ticket, rent_car, return_car, trip


@dataclass(frozen=True)
class RoomOnly:
    room: str


@dataclass(frozen=True)
class NightsAsText:
    nights: str


@dataclass(frozen=True)
class SagaIdGiven:
    saga_id: UUID


@dataclass(frozen=True)
class TravellerAnswered:
    traveller: str


@dataclass(frozen=True)
class PaidInNotes:
    notes: set[int]


@dataclass(frozen=True)
class MealWanted:
    meal: str


@dataclass(frozen=True)
class TripWithMeal(stories.TripRequested):
    meal: str | None = None


@dataclass(frozen=True)
class MealOrNone:
    meal: str | None = None


@dataclass(frozen=True)
class MealOrVegan:
    meal: str | None = "vegan"


CAR, ROOM, SEAT, PIVOT, *AFTER = trip.steps
TRIP = Lock("trip", by="trip_id")


def is_long(request: stories.TripRequested) -> bool:
    return request.nights > 1


def is_short(request: stories.TripRequested) -> bool:
    return request.nights <= 1


def trip_of(*steps: Step) -> Saga:
    return replace(trip, steps=steps)


def action(request: type, answer: type | None = None) -> Action:
    return Action("hotels.book_room", request=request, answer=answer)


def if_long(step: Step) -> Step:
    return replace(step, when=is_long)


def with_meal(needed: type, **how: Any) -> Saga:
    meal = Step(Action("airlines.order_meal", request=needed), **how)
    return replace(trip, request=TripWithMeal, steps=(CAR, ROOM, SEAT, PIVOT, meal))


def locking(**how: Any) -> Step:
    rent = replace(rent_car, holds=TRIP)
    return Step(rent, compensation=replace(return_car, undoes=rent), **how)


def undone(undoes: Action, request: type = stories.TripOnly) -> Step:
    return Step(undoes, compensation=Compensation("hotels.cancel_room", request=request, undoes=undoes))


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "retry at once": (
        lambda: Retry(first=timedelta(0)),
        "Retry: first 0:00:00 must be above zero and at most cap 0:02:00",
    ),
    "retry first above cap": (
        lambda: Retry(first=timedelta(minutes=5)),
        "Retry: first 0:05:00 must be above zero and at most cap 0:02:00",
    ),
    "no attempts": (lambda: Retry(attempts=0), "Retry: attempts and park_after count from 1"),
    "parked before the first": (lambda: Retry(park_after=0), "Retry: attempts and park_after count from 1"),
    "pivot with compensation": (
        lambda: Pivot(rent_car, compensation=return_car),
        "rent_car: the pivot has no compensation, it is barred",
    ),
    "no deadline": (lambda: replace(trip, deadline=timedelta(0)), "trip.v1: the deadline is not in the future"),
    "no pivot": (lambda: trip_of(CAR, ROOM, SEAT), "trip.v1: needs exactly one pivot, has none"),
    "no steps": (lambda: trip_of(), "trip.v1: needs exactly one pivot, has none"),
    "two pivots": (
        lambda: trip_of(CAR, Pivot(book_room), Pivot(hold_seat)),
        "trip.v1: needs exactly one pivot, has ['book_room', 'hold_seat']",
    ),
    "a step twice": (lambda: trip_of(CAR, CAR, ROOM, SEAT, PIVOT), "trip.v1: rent_car appears twice"),
    "no way back before the pivot": (
        lambda: trip_of(Step(rent_car), ROOM, SEAT, PIVOT),
        "trip.v1: rent_car is before the pivot and has no compensation",
    ),
    "compensation by another service": (
        lambda: trip_of(
            undone(rent_car),
            PIVOT,
        ),
        "trip.v1: hotels.cancel_room is another service's than rent_car",
    ),
    "a name without its service": (
        lambda: trip_of(Pivot(Action("buy_ticket", request=stories.TripOnly))),
        "trip.v1: 'buy_ticket' is not service.verb_noun",
    ),
    "compensation of another action": (
        lambda: trip_of(Step(rent_car, compensation=cancel_room), ROOM, SEAT, PIVOT),
        "trip.v1: hotels.cancel_room does not undo rent_car",
    ),
    "way back after the pivot": (
        lambda: trip_of(SEAT, PIVOT, CAR),
        "trip.v1: rent_car is after the pivot and has a compensation",
    ),
    "request provides what is implicit": (
        lambda: Saga("s", request=SagaIdGiven, deadline=trip.deadline, steps=(Pivot(rent_car),)),
        "s: the request must not provide saga_id",
    ),
    "need that nobody provides": (
        lambda: trip_of(CAR, ROOM, Pivot(issue_ticket)),
        "trip.v1: airlines.issue_ticket needs seat, which no earlier step provides",
    ),
    "need that is provided later": (
        lambda: trip_of(CAR, ROOM, Pivot(issue_ticket), Step(hold_seat)),
        "trip.v1: airlines.issue_ticket needs seat, which no earlier step provides",
    ),
    "action that needs its own answer": (
        lambda: trip_of(undone(action(RoomOnly, answer=RoomOnly)), Pivot(rent_car)),
        "trip.v1: hotels.book_room needs room, which no earlier step provides",
    ),
    "compensation that needs its own action's answer": (
        lambda: trip_of(undone(book_room, request=RoomOnly), Pivot(rent_car)),
        "trip.v1: hotels.cancel_room needs room, its own action's answer",
    ),
    "compensation that needs a later answer": (
        lambda: trip_of(Step(rent_car, compensation=replace(return_car, request=RoomOnly)), ROOM, SEAT, PIVOT),
        "trip.v1: cars.return_car needs room, which no earlier step provides",
    ),
    "need of another type": (
        lambda: trip_of(undone(action(NightsAsText)), Pivot(rent_car)),
        "trip.v1: hotels.book_room needs nights as <class 'str'>, it is <class 'int'>",
    ),
    "request with a type that messages cannot carry": (
        lambda: replace(trip, request=PaidInNotes),
        f"trip.v1: PaidInNotes.notes is set[int], which messages cannot carry; they carry {CARRIED}",
    ),
    "action asked with a type that messages cannot carry": (
        lambda: trip_of(undone(action(PaidInNotes)), Pivot(rent_car)),
        f"trip.v1: PaidInNotes.notes is set[int], which messages cannot carry; they carry {CARRIED}",
    ),
    "answer of a type that messages cannot carry": (
        lambda: trip_of(CAR, SEAT, Pivot(action(stories.BookRoom, answer=PaidInNotes))),
        f"trip.v1: PaidInNotes.notes is set[int], which messages cannot carry; they carry {CARRIED}",
    ),
    "compensation asked with a type that messages cannot carry": (
        lambda: trip_of(undone(book_room, request=PaidInNotes), Pivot(rent_car)),
        f"trip.v1: PaidInNotes.notes is set[int], which messages cannot carry; they carry {CARRIED}",
    ),
    "request that is no dataclass": (lambda: replace(trip, request=dict), "trip.v1: dict is not a dataclass"),
    "answer known already": (
        lambda: trip_of(undone(action(stories.BookRoom, answer=TravellerAnswered)), Pivot(rent_car)),
        "trip.v1: book_room provides traveller, which is known already",
    ),
    "pivot with a condition": (
        lambda: Pivot(issue_ticket, when=is_long),
        "issue_ticket: the pivot cannot be conditional",
    ),
    "condition without a name": (
        lambda: trip_of(replace(CAR, when=lambda request: True), ROOM, SEAT, PIVOT),
        "trip.v1: the condition of rent_car is not a function of a module",
    ),
    "need of a skipped step's answer": (
        lambda: trip_of(CAR, ROOM, if_long(SEAT), PIVOT),
        "trip.v1: airlines.issue_ticket needs seat, whose step may be skipped",
    ),
    "need of another condition's answer": (
        lambda: trip_of(CAR, if_long(ROOM), SEAT, PIVOT, replace(AFTER[1], when=is_short)),
        "trip.v1: post.send_itinerary needs room, whose step may be skipped",
    ),
    "need of what the request may leave out": (
        lambda: with_meal(MealWanted),
        "trip.v1: airlines.order_meal needs meal as <class 'str'>, it is str | None",
    ),
    "another default than the request's": (
        lambda: with_meal(MealOrVegan),
        "trip.v1: airlines.order_meal has another default of meal than the request",
    ),
    "lock that is released under another condition": (
        lambda: trip_of(locking(when=is_long), ROOM, SEAT, PIVOT, Step(replace(stories.award_miles, releases=TRIP))),
        "trip.v1: award_miles releases trip, and must have the condition of rent_car",
    ),
    "work under a lock that may not be held": (
        lambda: trip_of(
            locking(when=is_long),
            ROOM,
            SEAT,
            Pivot(replace(issue_ticket, under=TRIP)),
            Step(replace(stories.award_miles, releases=TRIP), when=is_long),
        ),
        "trip.v1: issue_ticket is under trip, which rent_car may not hold",
    ),
    "answer that is implicit": (
        lambda: trip_of(undone(action(stories.BookRoom, answer=SagaIdGiven)), Pivot(rent_car)),
        "trip.v1: book_room provides saga_id, which is known already",
    ),
}


@pytest.mark.parametrize(("make", "said"), BAD.values(), ids=BAD.keys())
def test_definition_that_cannot_work_is_refused_by_name(make: Callable[[], object], said: str) -> None:
    with pytest.raises(BadDefinition, match=f"^{re.escape(said)}$"):
        make()


def test_steps_with_the_same_condition_may_use_each_others_answers() -> None:
    saga = trip_of(CAR, if_long(ROOM), SEAT, PIVOT, if_long(AFTER[1]))
    assert [step.name for step in saga.steps if step.when] == ["book_room", "send_itinerary"]


def test_conditional_step_may_need_what_the_request_may_leave_out() -> None:
    assert with_meal(MealWanted, when=is_long).by_name["order_meal"].when is is_long


def test_step_may_need_what_the_request_may_leave_out_with_the_same_default() -> None:
    assert with_meal(MealOrNone).by_name["order_meal"].when is None


def test_steps_are_compensable_by_position() -> None:
    assert trip.compensable == (CAR, ROOM, SEAT)
    assert (trip.pivot, trip.pivot_position) == (PIVOT, 3)
    assert [trip.position_of(step.name) for step in trip.steps] == [0, 1, 2, 3, 4, 5]


def test_step_that_the_saga_lacks_has_no_position() -> None:
    with pytest.raises(KeyError):
        trip.position_of("paint_car")


def test_pivot_alone_is_a_saga() -> None:
    assert trip_of(Pivot(rent_car)).compensable == ()


def test_wait_doubles_up_to_the_cap_and_jitter_takes_from_it() -> None:
    retry = Retry(first=timedelta(seconds=1), cap=timedelta(seconds=10))
    assert [retry.delay(failures, 1.0).total_seconds() for failures in (1, 2, 3, 4, 5, 1000)] == [1, 2, 4, 8, 10, 10]
    assert retry.delay(5, 0.25) == timedelta(seconds=2.5)
    assert retry.delay(5, 0.0) == timedelta(0)


def test_definitions_are_found_by_their_own_name() -> None:
    assert [definition_of(name).name for name in definitions] == list(definitions)


def test_definition_that_this_code_lacks_is_named() -> None:
    with pytest.raises(UnknownDefinition, match=r"no saga definition is called 'trip\.v1'"):
        definition_of("trip.v1")
