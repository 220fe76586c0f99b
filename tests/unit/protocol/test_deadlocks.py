"""Deadlocks are found without the sagas that only wait for them, and every detector chooses the same victim."""

import random
from collections.abc import Iterator, Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.protocol.deadlocks import MOST_RETRIES, Member, choose_victim, cycles, external_steps
from orchestration.sagas.checkout import checkout

A, B, C, D, E, F, G = (UUID(int=number) for number in range(1, 8))

waits = st.dictionaries(
    st.integers(0, 12).map(lambda number: UUID(int=number)), st.integers(0, 12).map(lambda number: UUID(int=number))
)
members = st.lists(
    st.builds(
        Member,
        saga_id=st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number)),
        done=st.integers(0, 4),
        external_done=st.integers(0, 2),
        victim_count=st.integers(0, MOST_RETRIES + 1),
    ),
    min_size=1,
    unique_by=lambda member: member.saga_id,
)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({}, []),
        ({A: B}, []),
        ({A: B, B: C}, []),
        ({A: B, B: A}, [(A, B)]),
        ({C: A, A: B, B: C}, [(A, B, C)]),
        ({B: A, A: C, C: B}, [(A, C, B)]),
        ({A: B, B: C, C: D, D: C}, [(C, D)]),
        ({E: B, D: A, A: B, B: A}, [(A, B)]),
        ({A: B, B: A, C: D, D: C}, [(A, B), (C, D)]),
        ({A: B, B: C, C: D, D: E, E: F, F: G, G: A}, [(A, B, C, D, E, F, G)]),
    ],
    ids=[
        "nothing",
        "one edge",
        "a line",
        "two",
        "three",
        "three the other way",
        "a tail",
        "two tails",
        "two loops",
        "7",
    ],
)
def test_each_loop_is_found_once_from_its_smallest_id_without_tails(
    edges: Mapping[UUID, UUID], expected: list[tuple[UUID, ...]]
) -> None:
    assert cycles(edges) == expected


def test_a_saga_that_waits_for_itself_is_a_loop_of_one() -> None:
    assert cycles({A: A, B: A}) == [(A,)]


@given(waits)
def test_loops_are_those_that_following_each_edge_finds(edges: dict[UUID, UUID]) -> None:
    found = cycles(edges)
    assert {saga for loop in found for saga in loop} == {saga for saga in edges if saga in _reached_from(saga, edges)}
    for loop in found:
        assert loop[0] == min(loop)
        assert [edges[saga] for saga in loop] == [*loop[1:], loop[0]]
    assert len({saga for loop in found for saga in loop}) == sum(map(len, found)), "no saga is in two loops"


@given(waits, st.randoms())
def test_the_order_in_which_waits_are_read_changes_nothing(edges: dict[UUID, UUID], order: random.Random) -> None:
    shuffled = list(edges.items())
    order.shuffle(shuffled)
    assert cycles(dict(shuffled)) == cycles(edges)


def test_the_victim_has_the_fewest_external_steps_done() -> None:
    victim = choose_victim([Member(A, 1, 1, 0), Member(B, 4, 0, 0), Member(C, 2, 2, 0)])
    assert (victim.saga_id, victim.reason) == (B, "fewest external steps done")


def test_with_as_many_external_steps_the_victim_has_the_fewest_steps_done() -> None:
    victim = choose_victim([Member(C, 2, 0, 0), Member(A, 1, 0, 0), Member(B, 3, 0, 0)])
    assert (victim.saga_id, victim.reason) == (A, "fewest steps done")


def test_with_as_much_done_the_victim_is_the_youngest() -> None:
    victim = choose_victim([Member(A, 1, 0, 0), Member(C, 1, 0, 0), Member(B, 1, 0, 0)])
    assert (victim.saga_id, victim.reason) == (C, "the youngest")


def test_a_saga_without_retries_left_is_a_victim_only_if_all_are() -> None:
    spent, other = Member(A, 0, 0, MOST_RETRIES), Member(B, 3, 1, MOST_RETRIES - 1)
    victim = choose_victim([spent, other])
    assert (victim.saga_id, victim.reason) == (B, "the others have no automatic retry left")
    assert choose_victim([spent, Member(C, 1, 0, MOST_RETRIES)]).saga_id == A


@given(members, st.randoms())
def test_every_detector_chooses_the_same_victim(loop: list[Member], order: random.Random) -> None:
    shuffled = list(loop)
    order.shuffle(shuffled)
    assert choose_victim(shuffled) == choose_victim(loop)


def test_contracts_say_which_steps_of_a_checkout_call_outside() -> None:
    assert external_steps(checkout) == {"authorise_payment", "schedule_shipment"}


def _reached_from(start: UUID, edges: Mapping[UUID, UUID]) -> set[UUID]:
    return set(_steps(start, edges))


def _steps(start: UUID, edges: Mapping[UUID, UUID]) -> Iterator[UUID]:
    at = start
    for _ in range(len(edges)):
        if at not in edges:
            return
        at = edges[at]
        yield at
