"""L1 to L6 seen to fail."""

from uuid import UUID, uuid4

import pytest

from orchestration.db import clocks
from orchestration.models import SagaInstance
from orchestration.operators.audit import portions
from orchestration.operators.audit.violations import Unfinished, audit
from orders.models import Guard, Hold, Ledger, Turn
from shipping.models import Guard as GuardOfShipping
from tests.integration.operators.audit.conftest import Found

RESOURCE = "order:1"
STEP = "open_change"


@pytest.fixture
def running(shop) -> UUID:
    """A saga that has not ended. Q1 is of no interest here."""
    return shop.place()


def hold(saga_id: UUID, *, status: str = "done", turn: int | None = None) -> None:
    """Let the saga hold the lock, with a ledger row of this status."""
    Hold.objects.using("orders").create(resource=RESOURCE, saga_id=saga_id, step=STEP, fence=1, turn=turn)
    remember(saga_id, status)


def wait(saga_id: UUID, *, status: str = "waiting") -> None:
    """Let the saga wait for the lock, with a ledger row of this status."""
    Turn.objects.using("orders").create(id=5, resource=RESOURCE, saga_id=saga_id, step=STEP)
    remember(saga_id, status)


def remember(saga_id: UUID, status: str) -> None:
    Ledger.objects.create(saga_id=saga_id, step=STEP, status=status, history=[status], token=1)


def test_locks_that_agree_are_no_violation(running: UUID, shop) -> None:
    waiting = shop.place()
    hold(running)
    wait(waiting)
    Guard.objects.using("orders").create(resource=RESOURCE, fence=1)
    SagaInstance.objects.filter(pk=waiting).update(waits_for=running, waits_on=RESOURCE, waits_since=clocks.now())

    findings = audit(Unfinished(running=True))

    assert [each.message for each in findings.violations if each.invariant.startswith("L")] == []
    assert all(findings.checked[f"L{number}"] for number in range(1, 7))


def test_a_lock_of_a_saga_that_has_ended_is_found(completed: UUID, found: Found) -> None:
    hold(completed)

    assert found("L2") == [f"The saga is completed, and holds {RESOURCE}."]


def test_a_lock_of_no_saga_is_found(db, found: Found) -> None:
    hold(uuid4())

    assert found("L2") == [f"There is no such saga, and it holds {RESOURCE}."]


def test_a_turn_of_a_saga_that_has_ended_is_found(completed: UUID, running: UUID, found: Found) -> None:
    hold(running)
    wait(completed)

    assert found("L2") == [f"The saga is completed, and waits for {RESOURCE}."]


@pytest.mark.parametrize("status", ["barred", "refused", "undone"])
def test_a_lock_whose_step_does_not_hold_it_is_found(running: UUID, found: Found, status: str) -> None:
    hold(running, status=status)

    assert found("L1") == [f"Step {STEP} holds the lock, and its ledger row is {status}."]


def test_a_turn_for_a_free_lock_is_found(running: UUID, found: Found) -> None:
    wait(running)

    assert found("L3") == ["The saga waits for a lock that no saga holds."]


def test_a_lock_served_out_of_turn_is_found(running: UUID, shop, found: Found) -> None:
    hold(running, turn=6)
    wait(shop.place())

    assert found("L4") == [f"The saga has waited longer than saga {running}, which was served first."]


def test_a_turn_whose_step_does_not_wait_is_found(running: UUID, shop, found: Found) -> None:
    hold(running)
    wait(shop.place(), status="barred")

    assert found("L4") == [f"Step {STEP} has a turn, and its ledger row is barred."]


def test_no_saga_can_be_stored_as_waiting_after_its_pivot(completed: UUID) -> None:
    with pytest.raises(Exception, match="saga_waits_only_while_running"):
        SagaInstance.objects.filter(pk=completed).update(waits_for=uuid4(), waits_on=RESOURCE, waits_since=clocks.now())


@pytest.mark.parametrize("guard", [Guard, GuardOfShipping])
def test_a_fence_that_was_never_given_is_found(db, found: Found, guard) -> None:
    service = guard._meta.app_label
    guard.objects.using(service).create(resource=RESOURCE, fence=10**9)

    assert found("L6") == [f"The guard of {service} is at fence {10**9}, which was never given."]


def test_a_run_of_the_audit_checks_locks(completed: UUID) -> None:
    hold(completed)

    totals = portions.totals(at=clocks.now())

    assert [(each.invariant, each.ids["resource"]) for each in totals.sightings] == [("L2", RESOURCE)]
