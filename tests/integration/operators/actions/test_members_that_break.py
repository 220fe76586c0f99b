"""A member of a batch that breaks, or kills its worker: tried again, given up in the end, and holding up no other."""

from datetime import UTC, datetime, timedelta

import pytest

from config import env
from orchestration.models import BatchMember
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions import batch_loop, batches
from orchestration.operators.actions.batch_loop import run_once
from orchestration.operators.actions.batch_pacing import Pace
from orchestration.operators.actions.batches import ask_for_batch, tally_of
from tests.integration.operators.actions.conftest import FAST, PARKED, asked, now, resumed

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


def test_one_that_breaks_is_a_failure_until_it_is_done(parked, monkeypatch, admin_client):
    [saga_id] = parked(1)
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    page = f"/admin/operations/batches/{batch.pk}/"
    with monkeypatch.context() as patched:
        patched.setattr(batch_loop, "carry_out", lambda *_, **__: {}["poison"])
        run_once()
    broken = "Will be retried. It failed: KeyError: 'poison'"
    assert [(member.saga_id, member.detail) for member in batches.failures_of(batch)] == [(saga_id, broken)]
    assert "KeyError" in admin_client.get(page).content.decode()

    BatchMember.objects.update(leased_until=datetime.now(UTC))
    run_once()
    assert resumed() == [saga_id]
    assert list(batches.failures_of(batch)) == []


@pytest.fixture
def no_lease(monkeypatch) -> None:
    monkeypatch.setattr(batch_loop, "LEASE", timedelta(0))


def test_one_that_breaks_each_time_is_given_up_in_the_end_and_holds_up_no_other(parked, no_lease, monkeypatch):
    [bad, good] = parked(2)
    carry_out = batch_loop.carry_out
    monkeypatch.setattr(
        batch_loop,
        "carry_out",
        lambda saga_id, *a, **k: carry_out(saga_id, *a, **k) if saga_id != bad else {}["poison"],
    )
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), Pace(canary=1, per_second=1000, stop_above_percent=100))
    for _ in range(3):
        run_once()

    [member] = batches.failures_of(batch)
    assert (member.state, member.detail) == ("given_up", "It is given up: it failed: KeyError: 'poison'")
    assert tally_of(batch).failed == 1
    assert resumed() == [good]


def test_one_that_kills_each_worker_is_given_up_in_the_end(parked, no_lease):
    parked(1)
    batch = ask_for_batch(PARKED, asked(OperatorAction.RESUME), FAST)
    for _ in range(batch_loop.TAKEN_UP_AT_MOST):
        assert batch_loop.take_up(batch.pk), "and then the worker dies"
    run_once()
    run_once()

    [member] = batches.failures_of(batch)
    assert member.detail == "It is given up: 10 times a worker began it and did not finish."
    assert (now(batch).state, tally_of(batch).failed) == ("stopped", 1)
    assert resumed() == []
