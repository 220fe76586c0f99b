"""A checkout that was given up to end a deadlock is tried again, and its customer sees one checkout."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orchestration.engine import bulk_reads, engine, selectors, store
from orchestration.models import ALIAS, SagaInstance
from orchestration.protocol.deadlocks import MOST_RETRIES
from orchestration.protocol.events import PivotBarred, StepRefused, StepsUndone
from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper
from tests.support import deadlock

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]

STEPS = ("schedule_shipment", "authorise_payment", "reserve_stock")


@pytest.fixture
def checkout_id(ada: Shopper, two_mugs: Cart) -> UUID:
    return UUID(ada.check_out(two_mugs, key="k-1").json()["id"])


def row(saga_id: UUID) -> SagaInstance:
    return SagaInstance.objects.using(ALIAS).get(pk=saga_id)


def give_up(saga_id: UUID) -> None:
    """The saga is the victim of a deadlock, and its steps are being compensated."""
    deadlock.give_up(saga_id)
    engine.apply(saga_id, PivotBarred(), now=datetime.now(UTC))


def undo(saga_id: UUID, now: datetime | None = None) -> None:
    now = now or datetime.now(UTC)
    engine.apply(saga_id, StepsUndone(tuple((step, now) for step in STEPS)), now=now)


def retried(saga_id: UUID) -> UUID:
    """End the saga as the victim of a deadlock, and return its successor."""
    give_up(saga_id)
    undo(saga_id)
    return store.find_successors([saga_id])[saga_id].pk


def test_a_victim_is_processing_while_it_is_undone_and_tried_again(ada: Shopper, checkout_id: UUID) -> None:
    give_up(checkout_id)
    assert ada.get(f"/checkouts/{checkout_id}").json()["status"] == "processing"

    undo(checkout_id)
    seen = ada.get(f"/checkouts/{checkout_id}").json()
    assert (seen["id"], seen["status"], seen["failure"]) == (str(checkout_id), "processing", None)
    assert {step["status"] for step in seen["steps"]} == {"waiting", "skipped"}, "the steps are those of the successor"


def test_the_first_id_shows_how_the_last_try_ends(ada: Shopper, checkout_id: UUID) -> None:
    second = retried(checkout_id)
    third = retried(second)
    refusal = {"code": "out_of_stock", "detail": "Not enough of it is left.", "facts": {"sku": "MUG-01"}}
    engine.apply(third, StepRefused("reserve_stock", refusal), now=datetime.now(UTC))

    for known in (checkout_id, second, third):
        seen = ada.get(f"/checkouts/{known}").json()
        assert (seen["id"], seen["status"], seen["failure"]["code"]) == (str(known), "failed", "out_of_stock")


def test_after_the_last_retry_the_checkout_has_failed_and_asks_to_try_again(ada: Shopper, checkout_id: UUID) -> None:
    last = checkout_id
    for _ in range(MOST_RETRIES):
        last = retried(last)
    give_up(last)
    undo(last)

    seen = ada.get(f"/checkouts/{checkout_id}").json()
    assert (seen["status"], seen["failure"]) == (
        "failed",
        {"code": "deadlock", "detail": "Please try again.", "order_id": None},
    )
    assert seen["decided_at"] is not None


def test_without_time_left_the_checkout_has_failed_when_it_is_undone(ada: Shopper, checkout_id: UUID) -> None:
    give_up(checkout_id)
    undo(checkout_id, now=row(checkout_id).deadline_at + timedelta(seconds=1))

    seen = ada.get(f"/checkouts/{checkout_id}").json()
    assert (seen["status"], seen["failure"]["code"]) == ("failed", "deadlock")
    assert datetime.fromisoformat(seen["decided_at"]) == row(checkout_id).ended_at


def test_the_key_sent_again_names_the_first_checkout(ada: Shopper, two_mugs: Cart, checkout_id: UUID) -> None:
    retried(checkout_id)

    again = ada.check_out(two_mugs, key="k-1")
    assert (again.status_code, again.json()["id"]) == (202, str(checkout_id))


def test_cancelling_the_first_id_cancels_the_saga_that_does_the_work_now(ada: Shopper, checkout_id: UUID) -> None:
    second = retried(checkout_id)

    cancelled = ada.post(f"/checkouts/{checkout_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "cancelling")
    assert cancelled.json()["id"] == str(checkout_id)
    assert row(second).failure == {"code": "cancelled", "detail": "It was cancelled."}


def test_cancelling_a_victim_while_it_is_undone_ends_the_checkout(ada: Shopper, checkout_id: UUID) -> None:
    give_up(checkout_id)

    assert ada.post(f"/checkouts/{checkout_id}/cancel").json()["status"] == "cancelling"
    undo(checkout_id)
    assert ada.get(f"/checkouts/{checkout_id}").json()["status"] == "cancelled"
    assert store.find_successors([checkout_id]) == {}


def test_a_cancel_that_meets_the_end_of_the_victim_cancels_its_successor(
    ada: Shopper, checkout_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up(checkout_id)
    cancel_saga = engine.cancel_saga

    def after_its_end(saga_id: UUID, *, now: datetime) -> SagaInstance:
        monkeypatch.setattr(engine, "cancel_saga", cancel_saga)
        undo(checkout_id)
        return cancel_saga(saga_id, now=now)

    monkeypatch.setattr(engine, "cancel_saga", after_its_end)
    assert ada.post(f"/checkouts/{checkout_id}/cancel").json()["status"] == "cancelling"
    successor = store.find_successors([checkout_id])[checkout_id]
    assert successor.failure == {"code": "cancelled", "detail": "It was cancelled."}


def test_sagas_before_the_last_try_are_found_for_clients_that_wait_for_the_first(checkout_id: UUID) -> None:
    second = retried(checkout_id)
    third = retried(second)

    assert set(selectors.retried_by([third])) == {second, checkout_id}
    assert selectors.retried_by([checkout_id]) == []


def test_many_reads_at_once_each_get_the_saga_that_they_asked_for(
    ada: Shopper, two_mugs: Cart, checkout_id: UUID
) -> None:
    plain = UUID(ada.check_out(two_mugs).json()["id"])
    second = retried(checkout_id)

    found = {saga_id: bulk_reads.read(saga_id) for saga_id in (plain, checkout_id, second)}
    newest = {saga_id: reading and (reading.saga_id, reading.instance.pk) for saga_id, reading in found.items()}
    assert newest == {plain: (plain, plain), checkout_id: (checkout_id, second), second: (second, second)}
