"""What is said of messages that nobody can run."""

import json
from uuid import uuid4

import pytest

from tests.support.broker import publish_raw
from tests.support.wait import wait_for


@pytest.mark.parametrize(
    ("task", "more", "said"),
    [
        ("inventory.no_such_task", {}, "unregistered task"),
        ("inventory.reserve_stock", {"eta": "not a time"}, "invalid"),
    ],
    ids=["unknown task", "invalid message"],
)
def test_the_body_of_a_message_nobody_can_run_is_not_logged(start_worker, task, more, said):
    worker = start_worker(["inventory"])
    context = {"known": {"shipping_address": {"line1": "CANARY LANE"}, "payment_method": "CANARY_TOKEN"}, "trail": []}
    body = json.dumps([[context], {"saga_id": str(uuid4())}, {"chain": None}])
    headers = {"task": task, "id": str(uuid4()), "lang": "py", "argsrepr": "()", "kwargsrepr": "{}", **more}
    publish_raw("inventory", body, content_type="application/json", content_encoding="utf-8", headers=headers)
    wait_for(lambda: said in worker.log(), what="a word about it in the log")

    assert "CANARY" not in worker.log()
