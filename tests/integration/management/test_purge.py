"""`manage.py saga purge`: what goes, what stays, and that it can be stopped and doubled."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connections, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from config import env
from inventory.models import Ledger as InventoryLedger
from orchestration.messaging.topology import Depth
from orchestration.models import OperatorLogEntry, PurgedSaga, SagaInstance, SagaLogEntry
from orchestration.models.actions import OperatorAction, Via
from orchestration.models.audit import AuditFinding
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.audit.violations import violations
from orchestration.operators.retention import purge as purging
from orchestration.operators.retention import rule
from orchestration.participant.ledger import Status
from orchestration.participant.participant import participants
from orders.models import Order
from tests.integration.admin.situations import STEPS, Situations
from tests.integration.management.conftest import Ends, Run
from tests.integration.operators.insight.generated import generate_sagas
from tests.support.external import external_commands
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

PURGE = ("saga", "purge", "--older-than", "31d", "--yes")
LONG_AGO = timedelta(days=40)


@pytest.fixture(autouse=True)
def depths(monkeypatch: pytest.MonkeyPatch, settings) -> dict[str, Depth]:
    """What waits at the broker."""
    found = {queue.name: Depth(3, 1) for queue in settings.TOPOLOGY.queues}
    found[settings.TOPOLOGY.dead_letter_queue.name] = Depth(0, 0)
    monkeypatch.setattr(rule, "at_the_broker", lambda question: dict(found))
    return found


@pytest.fixture
def old(situations: Situations) -> Callable[[], UUID]:
    """Makes a completed checkout that ended long ago, with all that services know of it."""

    def make() -> UUID:
        saga_id = situations.running()
        situations.act(saga_id, *STEPS)
        SagaInstance.objects.filter(pk=saga_id).update(phase="completed", due_at=None, ended_at=_long_ago())
        age_ledgers()
        return saga_id

    return make


def _long_ago() -> datetime:
    return datetime.now(UTC) - LONG_AGO


def age_ledgers() -> None:
    for service, participant in participants().items():
        participant.ledger._default_manager.using(service).update(changed_at=_long_ago())


def remembered(saga_id: UUID) -> int:
    rows: list[type[Model]] = [participant.ledger for participant in participants().values()]
    return sum(row._default_manager.filter(saga_id=saga_id).count() for row in rows)


def test_what_ended_long_ago_goes_with_its_log_and_ledger_rows(
    run: Run, old: Callable[[], UUID], situations: Situations
) -> None:
    saga_id, young, unfinished = old(), situations.completed(), situations.running(age=LONG_AGO)
    log_entries = SagaLogEntry.objects.filter(saga_id=saga_id).count()
    assert run(*PURGE) == {"sagas": 1, "log_entries": log_entries, "ledger_rows": 5, "dry_run": False}
    assert set(SagaInstance.objects.values_list("pk", flat=True)) == {young, unfinished}
    assert not SagaLogEntry.objects.filter(saga_id=saga_id).exists()
    assert remembered(saga_id) == 0
    assert Order.objects.filter(saga_id=saga_id).exists()
    purged = PurgedSaga.objects.get()
    assert (purged.id, purged.phase, purged.has_ledger_rows) == (saga_id, "completed", False)


def test_a_dry_run_counts_and_changes_nothing(run: Run, old: Callable[[], UUID]) -> None:
    saga_id = old()
    counted = run(*PURGE, "--dry-run")
    assert (counted["sagas"], counted["ledger_rows"], counted["dry_run"]) == (1, 5, True)
    assert SagaInstance.objects.filter(pk=saga_id).exists()
    assert remembered(saga_id) == 5
    assert {**counted, "dry_run": False} == run(*PURGE)


def test_a_dry_run_asks_as_little_for_thousands_as_for_a_few(
    run: Run, old: Callable[[], UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        old()
    generate_sagas(2_000)
    SagaInstance.objects.filter(phase="completed").update(ended_at=_long_ago())
    ended = SagaInstance.objects.filter(phase="completed").count()
    with ExitStack() as stack:
        asked = {alias: stack.enter_context(CaptureQueriesContext(connections[alias])) for alias in env.ALIASES}
        counted = run(*PURGE, "--dry-run")

    assert (counted["sagas"], counted["ledger_rows"]) == (ended, 15)
    assert {alias: len(asked[alias]) for alias in participants()} == dict.fromkeys(participants(), 1)
    assert not [each for each in asked["orchestration"] if SagaLogEntry._meta.db_table in each["sql"]]
    monkeypatch.setattr(purging, "LOOKED_AT_ONCE", 7)
    assert run(*PURGE, "--dry-run") == counted, "in however many chunks"
    assert run(*PURGE, "--dry-run", "--limit", 10)["sagas"] == 10


def test_nothing_that_old_is_code_3(ends: Ends, situations: Situations) -> None:
    situations.completed()
    assert ends(*PURGE) == 3


def test_a_span_in_which_something_may_still_be_asked_for_is_refused(
    ends: Ends, old: Callable[[], UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    saga_id = old()
    assert ends("saga", "purge", "--older-than", "29d", "--yes") == 5
    monkeypatch.setattr(rule, "shortest_span", lambda: timedelta(days=60))
    assert ends(*PURGE) == 5
    assert SagaInstance.objects.filter(pk=saga_id).exists()


def test_the_span_is_twice_as_long_as_a_key_is_remembered_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rule.shortest_span() == rule.SHORTEST
    payments = participants()["payments"]
    outside = external_commands(payments)
    forgets = {command: replace(work, key_lifetime=timedelta(days=20)) for command, work in outside.items()}
    forgetful = replace(payments, commands=forgets)
    monkeypatch.setattr(rule, "participants", lambda: {"payments": forgetful})
    assert rule.shortest_span() == timedelta(days=40)


@pytest.mark.parametrize(("queue", "depth"), [("dead_letter_queue", Depth(1, 0)), ("payments", Depth(1, 0))])
def test_ledger_rows_stay_while_a_message_could_come_again(
    queue: str, depth: Depth, run: Run, ends: Ends, old: Callable[[], UUID], depths: dict[str, Depth], settings
) -> None:
    saga_id, topology = old(), settings.TOPOLOGY
    name = topology.dead_letter_queue.name if queue == "dead_letter_queue" else topology.name(queue)
    before, depths[name] = depths[name], depth
    assert ends(*PURGE) == 4
    assert not SagaInstance.objects.exists()
    assert remembered(saga_id) == 5
    depths[name] = before
    assert run(*PURGE)["ledger_rows"] == 5
    assert remembered(saga_id) == 0


def test_an_open_row_stays_for_ever(run: Run, ends: Ends, old: Callable[[], UUID]) -> None:
    saga_id = old()
    InventoryLedger.objects.filter(saga_id=saga_id).update(status=Status.UNDOING)
    assert run(*PURGE)["ledger_rows"] == 4
    assert remembered(saga_id) == 1
    assert ends(*PURGE) == 3


def test_a_saga_with_an_open_finding_stays(ends: Ends, old: Callable[[], UUID]) -> None:
    seen = {"first_seen_at": datetime.now(UTC), "last_seen_at": datetime.now(UTC)}
    AuditFinding.objects.create(fingerprint="x", invariant="Q2", message="no order", saga_id=old(), **seen)
    assert ends(*PURGE) == 3


def test_the_operator_log_outlasts_its_saga(run: Run, old: Callable[[], UUID]) -> None:
    saga_id = old()
    perform(saga_id, Ask(OperatorAction.RESUME, Actor("ada", None, Via.COMMAND), "why"), expected_version=None)
    run(*PURGE)
    assert OperatorLogEntry.objects.filter(saga_id=saga_id).exists()


def test_audits_know_that_there_was_a_purged_saga(run: Run, old: Callable[[], UUID]) -> None:
    saga_id = old()
    before = [each for each in violations() if each.ids.get("saga") == str(saga_id)]
    run(*PURGE)
    after = [each for each in violations() if each.ids.get("saga") == str(saga_id)]
    assert [each.invariant for each in after if each.invariant in ("A4", "Q6")] == []
    assert len(after) <= len(before)
    PurgedSaga.objects.all().delete()
    assert "Q6" in [each.invariant for each in violations() if each.ids.get("saga") == str(saga_id)]


def test_it_goes_on_where_it_was_stopped(old: Callable[[], UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "CHUNK", 1)
    for _ in range(3):
        old()
    until = datetime.now(UTC) - timedelta(days=31)
    assert next(purging.purge_sagas(until)).sagas == 1
    assert SagaInstance.objects.count() == 2
    assert sum(chunk.sagas for chunk in purging.purge_sagas(until)) == 2
    assert sum(chunk.ledger_rows for chunk in purging.purge_ledgers(until)) == 15


def test_two_at_once_take_other_chunks(old: Callable[[], UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "CHUNK", 2)
    for _ in range(8):
        old()
    until = datetime.now(UTC) - timedelta(days=31)
    removed = at_once(2, lambda _: sum(chunk.sagas for chunk in purging.purge_sagas(until)))
    assert sum(removed) == PurgedSaga.objects.count()
    assert sum(chunk.sagas for chunk in purging.purge_sagas(until)) + sum(removed) == 8
    assert not SagaInstance.objects.exists()


def test_a_saga_that_somebody_holds_is_not_waited_for(old: Callable[[], UUID]) -> None:
    held, other = old(), old()
    until = datetime.now(UTC) - timedelta(days=31)

    def purge(_: int) -> int:
        try:
            return sum(chunk.sagas for chunk in purging.purge_sagas(until))
        finally:
            connections.close_all()

    with transaction.atomic(using="orchestration"):
        SagaInstance.objects.select_for_update().get(pk=held)
        assert at_once(1, purge) == [1]
    assert list(PurgedSaga.objects.values_list("pk", flat=True)) == [other]


def test_without_a_terminal_and_a_yes_nothing_is_done(ends: Ends, old: Callable[[], UUID]) -> None:
    old()
    assert ends("saga", "purge", "--older-than", "31d") == 2
    assert SagaInstance.objects.count() == 1
