"""Dead letters are what could not be read: looking at them must survive each."""

import amqp
import pytest

from orchestration.operators.insight.dead_letters import dead_letter_of
from orchestration.operators.insight.redaction import HIDDEN


@pytest.mark.parametrize("body", [b"", b"\xff", b"7", b"[1, 2]", b"[" * 100_000, b'{"a":' * 100_000])
def test_a_body_that_is_no_message_is_shown_by_its_size(body: bytes) -> None:
    dead_letter = dead_letter_of(amqp.Message(body, application_headers={"task": "payments.no_such"}))
    assert (dead_letter.task, dead_letter.body, dead_letter.size) == ("payments.no_such", HIDDEN, len(body))
