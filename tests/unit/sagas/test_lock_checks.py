"""A definition whose locks cannot work says so when it is made, and names saga, step and lock."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.protocol.saga import BadDefinition, Pivot, Saga, Step


@dataclass(frozen=True)
class BoxRequested:
    box: str
    weight: float


@dataclass(frozen=True)
class BoxOnly:
    box: str


@dataclass(frozen=True)
class TakeKey:
    box: str
    fence: int


@dataclass(frozen=True)
class KeyTaken:
    box_fence: int


@dataclass(frozen=True)
class OpenBox:
    box: str
    box_fence: int


@dataclass(frozen=True)
class FenceOnly:
    box_fence: int


@dataclass(frozen=True)
class DropWithFence:
    fence: int


@dataclass(frozen=True)
class LabelOnly:
    label: str


@dataclass(frozen=True)
class FenceAsText:
    box: str
    box_fence: str


@dataclass(frozen=True)
class TextAnswered:
    box_fence: str


@dataclass(frozen=True)
class TwoBoxes:
    box: str
    spare: str


BOX = Lock("box", by="box")
take_key = Action("keys.take_key", request=TakeKey, answer=KeyTaken, holds=BOX)
open_box = Action("boxes.open_box", request=OpenBox, under=BOX)
close_box = Action("boxes.close_box", request=OpenBox, under=BOX)
return_key = Action("keys.return_key", request=BoxOnly, releases=BOX)


def undone(action: Action, request: type = BoxOnly) -> Step:
    return Step(action, Compensation(f"{action.service}.undo_{action.step}", request=request, undoes=action))


def box_of(*steps: Step) -> Saga:
    return Saga("box.v1", request=BoxRequested, deadline=timedelta(minutes=5), steps=steps)


def taken(lock: Lock) -> Saga:
    """A saga that takes this lock and releases it."""
    return box_of(undone(replace(take_key, holds=lock)), Pivot(other), Step(replace(return_key, releases=lock)))


other = Action("boxes.weigh_box", request=BoxOnly)
TAKE, OPEN, CLOSE, RETURN = undone(take_key), Pivot(open_box), Step(close_box), Step(return_key)

BAD: dict[str, tuple[Callable[[], object], str]] = {
    "lock taken by the pivot": (
        lambda: box_of(Pivot(take_key), RETURN),
        "take_key takes the lock box, but not before the pivot: the saga could not be made to release it",
    ),
    "lock taken after the pivot": (
        lambda: box_of(Pivot(other), Step(take_key), RETURN),
        "take_key takes the lock box, but not before the pivot: the saga could not be made to release it",
    ),
    "lock never released": (
        lambda: box_of(TAKE, OPEN),
        "take_key takes the lock box, and no step after the pivot releases it",
    ),
    "another lock released": (
        lambda: box_of(TAKE, OPEN, Step(replace(return_key, releases=Lock("box", by="weight")))),
        "take_key takes the lock box, and no step after the pivot releases it",
    ),
    "lock released by the pivot": (
        lambda: box_of(TAKE, Pivot(return_key)),
        "take_key takes the lock box, and no step after the pivot releases it",
    ),
    "lock released before the pivot, and after it": (
        lambda: box_of(TAKE, undone(replace(return_key, name="keys.lend_key")), OPEN, RETURN),
        "lend_key releases the lock box before the saga is past its pivot",
    ),
    "lock released by another service": (
        lambda: box_of(TAKE, OPEN, Step(replace(return_key, name="boxes.return_key"))),
        "return_key releases the lock box, which is kept at keys",
    ),
    "lock released twice": (
        lambda: box_of(TAKE, OPEN, RETURN, Step(replace(return_key, name="keys.throw_key"))),
        "throw_key releases the lock box, which an earlier step releases",
    ),
    "lock released that no step takes": (
        lambda: box_of(Pivot(other), RETURN),
        "return_key releases the lock box, which no step before the pivot takes",
    ),
    "lock taken twice": (
        lambda: box_of(TAKE, undone(Action("keys.copy_key", request=BoxOnly, holds=BOX)), OPEN, RETURN),
        "copy_key takes the lock box by box, which an earlier step takes",
    ),
    "lock by a fact that nobody provides": (
        lambda: taken(Lock("box", by="label")),
        "take_key takes the lock box by label, which no earlier step provides",
    ),
    "lock by a fact of its own answer": (
        lambda: taken(Lock("box", by="box_fence")),
        "take_key takes the lock box by box_fence, which no earlier step provides",
    ),
    "lock by a fact that is no key": (
        lambda: taken(Lock("box", by="weight")),
        "take_key takes the lock box by weight, which is <class 'float'>, not a str, UUID or int",
    ),
    "patience up to the deadline": (
        lambda: taken(replace(BOX, patience=timedelta(minutes=5))),
        "take_key takes the lock box with a patience of 0:05:00, which is not from zero to below the deadline",
    ),
    "patience below zero": (
        lambda: taken(replace(BOX, patience=timedelta(seconds=-1))),
        "take_key takes the lock box with a patience of -1 day, 23:59:59, which is not from zero to below the deadline",
    ),
    "fence without a lock": (
        lambda: box_of(undone(replace(take_key, holds=None)), Pivot(other)),
        "keys.take_key needs fence but takes no lock",
    ),
    "fence for a compensation": (
        lambda: box_of(undone(take_key, request=DropWithFence), OPEN, RETURN),
        "keys.undo_take_key needs fence but takes no lock",
    ),
    "step under a lock that no step takes": (
        lambda: box_of(undone(Action("keys.count_keys", request=BoxOnly, answer=KeyTaken)), OPEN),
        "open_box acts under the lock box, which no earlier step takes",
    ),
    "step under a lock that is released": (
        lambda: box_of(TAKE, OPEN, RETURN, CLOSE),
        "close_box acts under the lock box, which an earlier step releases",
    ),
    "step under a lock without its key": (
        lambda: box_of(TAKE, Pivot(replace(open_box, request=FenceOnly)), RETURN),
        "open_box acts under the lock box, but its request has no field box",
    ),
    "step under a lock without its fence": (
        lambda: box_of(TAKE, Pivot(replace(open_box, request=BoxOnly)), RETURN),
        "open_box acts under the lock box, but its request has no field box_fence of type int",
    ),
    "fence that is no number": (
        lambda: box_of(
            undone(replace(take_key, answer=TextAnswered)), Pivot(replace(open_box, request=FenceAsText)), RETURN
        ),
        "open_box acts under the lock box, but its request has no field box_fence of type int",
    ),
}


@pytest.mark.parametrize(("make", "said"), BAD.values(), ids=BAD.keys())
def test_definition_whose_locks_cannot_work_is_refused_by_name(make: Callable[[], object], said: str) -> None:
    with pytest.raises(BadDefinition, match=f"^{re.escape('box.v1: ' + said)}$"):
        make()


def test_lock_that_is_taken_used_and_released_makes_a_definition() -> None:
    assert box_of(TAKE, OPEN, CLOSE, RETURN).by_name["take_key"].action.holds == BOX


def test_lock_may_be_released_by_the_action_of_a_shorter_patience() -> None:
    assert box_of(TAKE, OPEN, Step(replace(return_key, releases=replace(BOX, patience=timedelta(0)))))


def test_two_locks_of_one_name_are_two_locks_if_their_keys_are_two_facts() -> None:
    second = Lock("box", by="spare")
    copy_key = Action("keys.copy_key", request=BoxOnly, holds=second)
    return_copy = Action("keys.return_copy", request=BoxOnly, releases=second)
    sagas = Saga(
        "boxes.v1",
        request=TwoBoxes,
        deadline=timedelta(minutes=5),
        steps=(TAKE, undone(copy_key), OPEN, RETURN, Step(return_copy)),
    )
    assert [step.name for step in sagas.steps if step.action.holds] == ["take_key", "copy_key"]
