"""A second version of the checkout is deployed while sagas run, taken back, and deployed again."""

import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from uuid_utils.compat import uuid7

from orchestration.engine import engine
from orchestration.models import SagaInstance
from orchestration.operators.audit.violations import violations
from orchestration.sagas import definitions
from tests.support import broker
from tests.support.processes import Worker
from tests.support.wait import wait_for


@pytest.fixture
def second_version(workforce, clean_slate, start_worker):
    """This process knows both versions, as a web process after the deploy does; take it back with `pop`."""
    from tests.support import second_version

    second_version.deploy()
    yield second_version.checkout_v3
    definitions.pop("checkout.v3", None)


def place_v3(shop, saga) -> object:
    request = shop.request()
    origin = engine.Origin(request.customer_id, request.idempotency_key, "hash")
    return engine.start_saga(saga, request, saga_id=uuid7(), origin=origin, now=datetime.now(UTC)).saga_id


def test_sagas_end_as_the_version_they_began_with_whatever_is_deployed(shop, start_worker, second_version, capsys):
    old = [shop.place(payment_method=token) for token in ("tok_ok", "tok_fail_1", "tok_declined")]
    new_worker: Worker = start_worker(app="tests.support.second_version")
    new = [place_v3(shop, second_version) for _ in range(3)]
    assert sorted(shop.ended(*old)) == ["compensated", "completed", "completed"]
    assert shop.ended(*new) == ["completed"] * 3
    assert "set_gift_aside" in shop.ledger(new[0])

    new_worker.stop()  # the deploy is taken back while three sagas of v3 wait
    waiting = [place_v3(shop, second_version) for _ in range(3)]
    definitions.pop("checkout.v3")
    capsys.readouterr()
    with pytest.raises(CommandError) as refused:
        call_command("saga", "preflight", "--format", "json")
    assert refused.value.returncode == 1
    [problem] = json.loads(capsys.readouterr().out)["problems"]
    assert problem["problem"] == "no saga definition is called 'checkout.v3'"
    assert sorted(problem["sagas"]) == sorted(map(str, waiting))

    old_worker: Worker = start_worker()  # somebody goes back all the same
    others = [shop.place() for _ in range(3)]
    assert shop.ended(*others) == ["completed"] * 3  # v2 is not disturbed
    wait_for(lambda: broker.dead_letters() >= 1, what="a step that v2's code does not know")
    assert {saga.phase for saga in SagaInstance.objects.filter(pk__in=waiting)} == {"running"}

    old_worker.stop()
    definitions["checkout.v3"] = second_version
    start_worker(app="tests.support.second_version")  # and forward again
    assert shop.ended(*waiting) == ["completed"] * 3
    explained = [broker.take_message("dead-letters").headers["task"] for _ in range(broker.dead_letters())]
    assert set(explained) <= {"inventory.set_gift_aside", *REPORTS}
    assert [each for each in violations() if "checkout.v3" not in str(each)] == []


REPORTS = {"orchestration.chain_completed", "orchestration.step_failed", "orchestration.step_refused"}
