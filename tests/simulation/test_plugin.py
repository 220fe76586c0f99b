"""The sweep for users: the example in the documentation, run as it is written."""

import re
from pathlib import Path
from uuid import uuid4

import pytest

from orchestration.testing import Fake, Unsafe
from orchestration.testing.sweep_table import lines_of
from tests.unit.protocol.stories import RoomBooked, SeatHeld, TripRequested, trip

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def test_the_documented_example_works(saga_sweep):
    [example] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    known = {each.__name__: each for each in (Fake, RoomBooked, SeatHeld, TripRequested, uuid4)} | {"trip": trip}
    exec(example, known)
    swept = []

    known["test_a_trip_survives_every_fault"](lambda *args: swept.append(saga_sweep(*args)))

    [found] = swept
    table = list(lines_of(found))
    assert table[0].split() == ["point", "compensated", "completed"]
    assert any(line.startswith("call hotels.book_room") for line in table)
    assert found.paths >= 12


def test_a_request_of_another_type_is_refused(saga_sweep):
    with pytest.raises(TypeError, match=r"trip\.v1 requires TripRequested"):
        saga_sweep(trip, object())


def test_a_step_that_is_not_there_is_named(saga_sweep):
    with pytest.raises(ValueError, match=r"trip\.v1 has no step book_a_room"):
        saga_sweep(trip, TripRequested(uuid4(), "ada", 2), {"book_a_room": Fake()})


def test_a_fake_answer_of_another_type_is_refused(saga_sweep):
    with pytest.raises(TypeError, match="book_room answers RoomBooked, its fake str"):
        saga_sweep(trip, TripRequested(uuid4(), "ada", 2), {"book_room": Fake("12")})


def test_a_missing_answer_is_reported_with_its_path_and_the_step_that_failed(saga_sweep):
    request = TripRequested(uuid4(), "ada", 2)
    failed = "issue_ticket failed: Malformed: IssueTicket.seat is missing"

    with pytest.raises(Unsafe, match=f"completed; no fault: it is compensated, to be completed; {failed}"):
        saga_sweep(trip, request, {"book_room": Fake(RoomBooked("12"))})
