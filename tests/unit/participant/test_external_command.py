"""What a class must give to be an external command, and what it gets."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from orchestration.contracts.codec import NotCarried
from orchestration.participant.breaker import Breaker
from orchestration.participant.external import ExternalCommand, Keys

BREAKER = cast(Breaker, None)  # no test here makes a call through it


class Booking(ExternalCommand[str, str]):
    """Books what is asked, and answers in capitals."""

    def call(self, request: str, keys: Keys) -> str:
        return request

    def find(self, request: str, keys: Keys) -> str | None:
        return None

    def record(self, request: str, reply: str) -> Any:
        return reply.upper()


def test_command_that_cannot_be_called_or_found_cannot_be_made() -> None:
    class Incomplete(ExternalCommand[str, str]):
        """Gives neither."""

    with pytest.raises(TypeError, match="abstract methods call, find"):
        Incomplete(BREAKER, None)  # type: ignore[abstract]


def test_several_replies_are_recorded_one_by_one() -> None:
    assert Booking(BREAKER, None).record_all([("a", "b"), ("c", "d")]) == ["B", "D"]


def test_command_needs_the_call_and_takes_no_facts_unless_it_says_otherwise() -> None:
    booking = Booking(BREAKER, None)
    assert booking.local_reply("a") is None
    assert booking.facts is None
    with pytest.raises(NotImplementedError, match="Booking takes no facts from an operator"):
        booking.reported("a", None)


def test_facts_that_an_operator_cannot_write_are_refused_with_the_class() -> None:
    @dataclass(frozen=True)
    class Facts:
        """A set of what cannot be written."""

        colours: complex

    with pytest.raises(NotCarried, match="colours"):

        class Refund(Booking):
            """Wants facts that no text can be."""

            facts = Facts
