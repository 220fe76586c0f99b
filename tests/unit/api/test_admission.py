"""What a web process takes on at a time."""

import threading
from contextlib import ExitStack

import pytest

from orchestration.api.admission import Admission, Overloaded
from tests.support.wait import wait_for


def admission(*, at_work: int = 1, queued: int = 1, waiting: int = 1, queued_within_s: float = 30) -> Admission:
    return Admission(at_work=at_work, queued=queued, waiting=waiting, queued_within_s=queued_within_s)


def test_requests_beyond_those_at_work_have_their_turn_one_after_the_other() -> None:
    door, served = admission(), []

    def serve() -> None:
        with door.running():
            served.append(threading.get_ident())

    with door.running():
        thread = threading.Thread(target=serve)
        thread.start()
        wait_for(lambda: door._queued._value == 0, what="a request queued")
        assert served == []
    thread.join()
    assert len(served) == 1


def test_a_request_that_has_no_turn_in_time_is_reported_when_to_come_again() -> None:
    door = admission(queued_within_s=0.01)
    with door.running(), pytest.raises(Overloaded) as reported, door.running():
        pass
    assert reported.value.document.status == 503
    assert reported.value.document.headers["Retry-After"] == "1"


def test_a_client_that_waits_makes_room_for_the_next_request() -> None:
    door = admission(queued=0)
    with door.running(), door.waiting_for_outcome() as has_place:
        assert has_place
        with door.running():
            pass


def test_a_turn_that_was_ended_by_waiting_is_not_given_out_twice() -> None:
    door = admission(queued=0)
    with door.running(), door.waiting_for_outcome():
        pass
    with door.running():
        assert _is_refused(door)


def test_so_many_clients_wait_and_no_more() -> None:
    door = admission(waiting=2)
    with ExitStack() as held:
        assert [held.enter_context(door.waiting_for_outcome()) for _ in range(3)] == [True, True, False]
    with door.waiting_for_outcome() as has_place:
        assert has_place


def _is_refused(door: Admission) -> bool:
    try:
        with door.running():
            return False
    except Overloaded:
        return True
