"""The store in memory behaves like the one in PostgreSQL. Otherwise the simulator would prove nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.db import IntegrityError, connections

from orchestration.engine import markers, store
from orchestration.engine.store import NewSaga, RowChange
from orchestration.models import ALIAS, Deadlock, Marker, SagaInstance, SagaLogEntry
from orchestration.testing.clock import Clock
from orchestration.testing.memory_store import MemoryStore

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOST_AFTER = settings.PRESUMED_LOST_AFTER


@pytest.fixture(params=["PostgreSQL", "memory"])
def kept(request):
    """Return the two stores, one after the other."""
    return store if request.param == "PostgreSQL" else MemoryStore(Clock())


def saga(**columns) -> SagaInstance:
    defaults = {
        "id": uuid4(),
        "definition": "checkout.v2",
        "customer_id": "ann",
        "idempotency_key": str(uuid4()),
        "request_hash": "hash",
        "request": {},
        "phase": "running",
        "dispatched_at": NOW,
        "due_at": NOW,
        "deadline_at": NOW + timedelta(hours=1),
        "created_at": NOW,
        "changed_at": NOW,
    }
    return SagaInstance(**defaults | columns)


def entry(instance: SagaInstance, sequence: int = 1) -> SagaLogEntry:
    return SagaLogEntry(saga=instance, sequence=sequence, kind="started", phase="running", token=1, at=NOW)


def found(kept, instance: SagaInstance) -> SagaInstance:
    """Read the instance back from the store."""
    return kept.find([instance.pk])[instance.pk]


def inserted(kept, **columns) -> SagaInstance:
    instance = saga(**columns)
    kept.insert(instance, [entry(instance)], then=None)
    return instance


def marker_returned(kept, sent_at: datetime) -> None:
    if kept is store:
        Marker.objects.using(ALIAS).create(route="checkout.v2:forward", sent_at=sent_at)
        markers.record_confirmed_return("checkout.v2:forward", sent_at)
    else:
        kept.marker_returned("checkout.v2:forward", sent_at)


def test_what_was_inserted_is_found_by_id_and_by_key(kept):
    instance = inserted(kept)

    assert found(kept, instance) == instance
    assert kept.find_by_key("ann", instance.idempotency_key) == instance
    assert kept.find([UUID(int=0)]) == {}
    assert kept.find_by_key("ann", "another") is None


def test_a_key_is_taken_once(kept):
    instance = inserted(kept)

    with pytest.raises(IntegrityError):
        inserted(kept, idempotency_key=instance.idempotency_key)


def test_what_follows_an_insert_is_done_after_it_is_committed(kept):
    """Check that another connection sees the insert. Otherwise a worker could be faster than the commit."""
    instance, seen = saga(), []

    def look() -> None:
        with ThreadPoolExecutor(1) as other:
            seen.append(other.submit(lambda: _and_close(lambda: kept.find([instance.pk]))).result())

    kept.insert(instance, [entry(instance)], then=look)

    assert seen == [{instance.pk: instance}]


def test_what_fails_after_a_commit_is_logged_as_what_it_is_and_takes_nothing_back(caplog):
    """Check it also for a partial, which has no name that Django could log."""
    read = found(store, inserted(store))

    def fail(taken: set[UUID]) -> None:
        raise RuntimeError("the broker has no such queue")

    taken = store.compare_and_set([RowChange(read, {"version": 1}, [])], about="Due", then=fail)

    assert taken == {read.pk}
    assert found(store, read).version == 1
    [logged] = [record for record in caplog.records if record.exc_info]
    assert isinstance(logged.exc_info[1], RuntimeError)


def _and_close(look):
    try:
        return look()
    finally:
        connections.close_all()


def test_a_row_is_changed_only_as_it_was_read(kept):
    read = found(kept, inserted(kept))
    changed = {"version": 1, "phase": "barring"}

    change = RowChange(read, changed, [entry(read, 2)])
    assert kept.compare_and_set([change], about="", then=None) == {read.pk}
    assert kept.compare_and_set([change], about="", then=lambda taken: pytest.fail("sent")) == set()
    assert found(kept, read).phase == "barring"


def test_of_several_rows_those_are_changed_that_are_as_they_were_read(kept):
    first, second, third = (found(kept, inserted(kept)) for _ in range(3))
    changed = {"version": 1, "phase": "barring"}
    kept.compare_and_set([RowChange(second, {"version": 1}, [])], about="", then=None)
    followed = []

    changes = [RowChange(each, changed, [entry(each, 2)]) for each in (first, second, third)]
    taken = kept.compare_and_set(changes, about="", then=followed.append)

    assert taken == {first.pk, third.pk}
    assert followed == [taken]
    assert [found(kept, each).phase for each in (first, second, third)] == ["barring", "running", "barring"]


def test_what_was_not_delivered_is_due_after_a_while(kept):
    read = found(kept, inserted(kept))
    kept.mark_undelivered(read, SECOND)

    again = found(kept, read)
    assert not again.in_flight
    assert again.due_at != NOW


def test_what_was_changed_meanwhile_is_not_marked(kept):
    read = found(kept, inserted(kept))
    kept.compare_and_set([RowChange(read, {"version": 1}, [])], about="", then=None)
    kept.mark_undelivered(read, SECOND)

    assert found(kept, read).in_flight


@pytest.mark.parametrize(
    ("columns", "is_claimed"),
    [
        ({"in_flight": False}, True),
        ({"in_flight": False, "due_at": NOW + SECOND}, False),
        ({"in_flight": False, "due_at": None, "parked": True}, False),
        ({"in_flight": True}, False),
        ({"in_flight": True, "deadline_at": NOW}, True),
        ({"in_flight": True, "deadline_at": NOW, "phase": "barring"}, False),
    ],
)
def test_due_sagas_are_claimed_unless_their_message_may_wait(kept, columns, is_claimed):
    instance = inserted(kept, **columns)

    assert [each.pk for each in kept.claim_due(NOW, 10)] == [instance.pk] * is_claimed
    assert kept.is_any_due(NOW) == (not is_claimed and columns.get("due_at", NOW) == NOW)


def test_a_claimed_saga_is_left_alone_for_a_while(kept):
    instance = inserted(kept, in_flight=False)
    kept.claim_due(NOW, 10)

    assert kept.claim_due(NOW + LOST_AFTER - SECOND, 10) == []
    assert [each.pk for each in kept.claim_due(NOW + LOST_AFTER, 10)] == [instance.pk]


def test_the_longest_due_are_claimed_first(kept):
    later, earlier = (inserted(kept, in_flight=False, due_at=NOW - span) for span in (SECOND, 2 * SECOND))

    assert [each.pk for each in kept.claim_due(NOW, 1)] == [earlier.pk]
    assert [each.pk for each in kept.claim_due(NOW, 1)] == [later.pk]


@pytest.mark.parametrize(("sent_after", "is_lost"), [(timedelta(0), False), (settings.MARKER_HEAD_START, True)])
def test_a_message_is_lost_when_a_marker_well_behind_it_came_back(kept, sent_after, is_lost):
    instance = inserted(kept)
    marker_returned(kept, NOW + sent_after)

    assert [each.pk for each in kept.claim_due(NOW, 10)] == [instance.pk] * is_lost


def test_a_marker_says_nothing_of_another_direction(kept):
    inserted(kept, phase="compensating")
    marker_returned(kept, NOW + LOST_AFTER)

    assert kept.claim_due(NOW, 10) == []


def test_sagas_not_heard_of_are_reported_by_definition_and_phase(kept):
    inserted(kept)
    inserted(kept)
    inserted(kept, phase="finishing")
    inserted(kept, phase="barring", in_flight=False)

    assert kept.without_report(NOW) == {("checkout.v2", "running"), ("checkout.v2", "finishing")}
    assert kept.without_report(NOW - SECOND) == set()


def waiting(kept, holder: UUID | None = None, **columns) -> SagaInstance:
    return inserted(kept, waits_for=holder or uuid4(), waits_on="wallet:a", waits_since=NOW, **columns)


def test_a_saga_of_a_loop_leads_to_the_others_of_it(kept):
    first_id = uuid4()
    second = waiting(kept, first_id)
    waiting(kept, second.pk, id=first_id)
    inserted(kept)

    for starts in (None, [first_id], [second.pk]):
        assert {each.pk for each in kept.waits_around(starts, limit=9)} == {first_id, second.pk}
    assert len(kept.waits_around(None, limit=1)) == 1
    assert kept.waits_around([uuid4()], limit=9) == []


def test_sagas_that_wait_for_none_are_not_followed(kept):
    waiting(kept, inserted(kept).pk)

    assert all(each.waits_for for each in kept.waits_around(None, limit=9))


def deadlock_of(kept, victim: SagaInstance) -> Deadlock:
    return Deadlock.objects.using(ALIAS).get(pk=victim.pk) if kept is store else kept.deadlocks[victim.pk]


def test_a_deadlock_and_its_successor_are_written_with_the_change_of_the_victim(kept):
    victim, other = inserted(kept), inserted(kept)
    found_now = Deadlock(
        victim_id=victim.pk, cycle=[], resources=[], definitions=[], reason="the youngest", found_at=NOW
    )
    changes = [RowChange(victim, {"version": 1}, [], deadlock=found_now), RowChange(other, {"version": 1}, [])]
    assert kept.compare_and_set(changes, about="", then=None) == {victim.pk, other.pk}
    assert deadlock_of(kept, victim).reason == "the youngest"

    read, another = found(kept, victim), saga(retry_of=victim.pk, victim_count=1)
    succession = RowChange(read, {"version": 2}, [], successor=NewSaga(another, [entry(another)]))
    assert kept.compare_and_set([succession], about="", then=None) == {victim.pk}
    assert kept.compare_and_set([succession], about="", then=None) == set(), "the victim has changed"
    assert found(kept, another) == another
    assert deadlock_of(kept, victim).successor_id == another.pk


def test_a_change_that_is_not_made_leaves_neither_deadlock_nor_successor(kept):
    victim = inserted(kept)
    read, another = found(kept, victim), saga(retry_of=victim.pk)
    kept.compare_and_set([RowChange(read, {"version": 1}, [])], about="", then=None)
    late = Deadlock(victim_id=victim.pk, cycle=[], resources=[], definitions=[], reason="late", found_at=NOW)
    change = RowChange(read, {"version": 1}, [], deadlock=late, successor=NewSaga(another, [entry(another)]))

    assert kept.compare_and_set([change], about="", then=None) == set()
    assert kept.find([another.pk]) == {}
    with pytest.raises((KeyError, Deadlock.DoesNotExist)):
        deadlock_of(kept, victim)
