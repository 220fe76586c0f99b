"""What a worker notes when a marker passes it."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from orchestration.messaging.unfinished import MARKERS_NOTED, noted


@dataclass
class Waiting:
    """A request as Celery's worker keeps it."""

    kwargs: dict[str, Any] | None = field(default_factory=lambda: {"saga_id": str(uuid4()), "token": 3})

    @property
    def held(self) -> tuple[str, int]:
        assert self.kwargs
        return self.kwargs["saga_id"], self.kwargs["token"]


def test_what_was_overtaken_at_one_queue_is_still_known_when_the_marker_comes_back() -> None:
    earlier, now = Waiting(), Waiting()
    noted("a", [earlier])

    assert noted("a", [now]) == {earlier.held, now.held}


def test_a_message_that_another_marker_overtook_is_not_reported_to_this_one() -> None:
    noted("b", [Waiting()])

    assert noted("c", []) == set()


def test_what_is_no_sagas_message_is_passed_over() -> None:
    assert noted("d", [Waiting(None), Waiting({"route": "r"})]) == set()


def test_old_markers_are_forgotten() -> None:
    first = Waiting()
    noted("first", [first])
    for number in range(MARKERS_NOTED):
        noted(f"later {number}", [])

    assert noted("first", []) == set()
