"""What an adapter raises may quote the other side: half a surrogate pair (json.loads lets it pass) or a NUL.

The report of such a failure must be one that can be sent and written down. Put it into tests/unit/."""

import json

import orjson
import pytest

from orchestration.participant.executor import failure_report

CONTEXT: dict[str, object] = {"known": {}, "trail": []}


@pytest.mark.parametrize("quoted", [json.loads('"Declined \\ud83d"'), "Declined\x00"])
def test_the_report_of_a_failure_can_be_sent_and_written_down(quoted):
    facts = failure_report(RuntimeError(f"the provider says: {quoted}"), CONTEXT)

    sent = orjson.dumps(facts)  # as canvas.Message.body does

    assert b"\\u0000" not in sent  # PostgreSQL's jsonb refuses it
