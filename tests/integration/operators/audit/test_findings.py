"""Findings: opened, seen again, gone; not opened for what is merely changing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.db.models import F

from inventory.models import Reservation, Stock
from orchestration.models import ALIAS, SagaLogEntry
from orchestration.models.audit import AuditFinding, AuditRun
from orchestration.operators.audit import portions as auditor
from orchestration.operators.audit import run as running
from orchestration.operators.audit import run_rows, schedule
from orchestration.operators.audit.apply import Justification, accept
from orchestration.operators.audit.invariants import totals
from orchestration.operators.audit.proposals import SETTLED_OUTSIDE
from orchestration.operators.audit.queries import audit_state, last_run, open_findings, reach_of_run
from orchestration.operators.audit.run import Stopped
from orchestration.operators.audit.values import Reach
from payments.gateways.sandbox import audit as gateway_audit
from payments.gateways.sandbox.models import Operation
from payments.models import Payment
from shipping.models import Shipment
from tests.integration.operators.audit import drift
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop

JUSTIFICATION = Justification("ada", "seen at the warehouse")


def audit() -> AuditRun:
    run = schedule.run_once()
    assert run is not None
    return run


def opened() -> list[str]:
    return sorted(f"{each.invariant} {each.message}" for each in open_findings())


def test_books_that_agree_leave_a_run_and_no_finding(completed: UUID, compensated: UUID) -> None:
    run = audit()
    assert run.ok is True
    assert run.error == ""
    assert run.sagas == 2
    assert run.checked["Q2"] == run.checked["Q3"] == 1
    assert opened() == []


def test_run_that_could_not_read_the_gateway_s_books_says_so(
    completed: UUID, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gateway_audit, "gateway", object)
    with caplog.at_level("INFO", logger="orchestration.operators.audit.record"):
        audit()
        audit()
    state = audit_state(now=datetime.now(UTC))
    assert (state.ok, state.reach) == (True, Reach(("Q3", "Q4"), ("A4", "Q2", "Q5", "Q6", "R1")))
    assert [str(gap).partition(": ")[0] for gap in state.gaps] == ["A4, Q2, Q3, Q4, Q5, Q6, R1 at the gateway"]
    reported = "nothing is violated; not checked: Q3, Q4; checked in part: A4, Q2, Q5, Q6, R1"
    assert reported in caplog.records[-1].getMessage()


def test_finding_that_a_run_could_not_look_for_stays_open(completed: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    Payment.objects.update(capture_id="of another payment")
    assert audit().ok is False
    monkeypatch.setattr(gateway_audit, "gateway", object)
    assert audit().ok is False
    assert [each.invariant for each in open_findings()] == ["Q4"]


def test_finding_stays_open_while_the_check_that_found_it_is_not_made(
    completed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    Operation.objects.filter(kind="capture").update(amount_minor=F("amount_minor") + 1)
    audit()
    before = opened()
    assert any("the gateway captured" in each for each in before)
    monkeypatch.setattr(gateway_audit, "gateway", object)
    for _ in range(2):
        assert Reach(("Q3", "Q4"), ("A4", "Q2", "Q5", "Q6", "R1")) == reach_of_run(audit())
        assert opened() == before


def test_finding_that_was_made_without_a_check_ends_without_it(
    completed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in every shop whose gateway is not the sandbox."""
    monkeypatch.setattr(gateway_audit, "gateway", object)
    [booked] = Shipment.objects.values_list("status", flat=True)
    Shipment.objects.update(status="cancelled")
    audit()
    assert "Q2 The saga is completed, and its shipment is cancelled." in opened()
    Shipment.objects.update(status=booked)
    audit()
    assert opened() == []


def test_sums_that_were_left_out_end_no_finding_of_theirs(
    completed: UUID, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "YOUNG", timedelta(0))
    Operation.objects.filter(kind="capture").update(currency="USD")
    for _ in range(2):
        audit()
    sums = [each for each in opened() if each.startswith("Q4 The gateway has kept")]
    assert len(sums) == 2
    monkeypatch.setattr(totals, "UNFINISHED_LIMIT", -1)
    assert reach_of_run(audit()).in_part == ("Q4",)
    assert [each for each in opened() if each in sums] == sums


def test_run_that_could_read_all_books_leaves_nothing_out(completed: UUID) -> None:
    audit()
    assert audit_state(now=datetime.now(UTC)).reach.is_whole


def test_what_concerns_an_ended_saga_is_opened_at_once(compensated: UUID) -> None:
    drift.hold_again(compensated)
    assert audit().ok is False
    assert opened() == [
        "A6 reserve_stock is done although the saga is compensated.",
        "Q3 The saga is compensated, and it still holds units.",
    ]
    assert {each.saga_id for each in open_findings()} == {compensated}


def test_what_may_have_been_changing_is_opened_by_the_second_run_that_sees_it(completed: UUID) -> None:
    Stock.objects.update(reserved=F("reserved") + 1)
    assert audit().ok is True
    assert opened() == []
    assert audit().ok is False
    assert [each.invariant for each in open_findings().order_by("invariant")] == ["A1", "A2"]


def test_a_suspicion_that_comes_to_nothing_leaves_no_trace(completed: UUID) -> None:
    Stock.objects.update(reserved=F("reserved") + 1)
    audit()
    Stock.objects.update(reserved=F("reserved") - 1)
    audit()
    assert not AuditFinding.objects.using(ALIAS).exists()


def test_a_finding_seen_again_is_the_same_also_when_its_numbers_change(completed: UUID) -> None:
    for _ in range(3):
        Stock.objects.update(reserved=F("reserved") + 1)
        audit()
    finding = open_findings().get(invariant="A1")
    assert finding.message == "5 units of MUG-01 reserved, live reservations hold 2."
    assert finding.first_seen_at < finding.last_seen_at


def test_a_finding_that_is_gone_is_closed_by_the_run_that_does_not_see_it(compensated: UUID) -> None:
    Reservation.objects.update(released_at=None)
    audit()
    assert len(opened()) > 0
    Reservation.objects.update(released_at="2026-01-01T00:00Z")
    run = audit()
    assert run.ok is True
    assert opened() == []
    assert {each.gone_run for each in AuditFinding.objects.using(ALIAS).all()} == {run}


def test_a_finding_that_comes_back_is_another_one(compensated: UUID) -> None:
    for released_at in (None, "2026-01-01T00:00Z", None):
        Reservation.objects.update(released_at=released_at)
        audit()
    assert AuditFinding.objects.using(ALIAS).filter(invariant="Q3").count() == 2


def test_an_accepted_finding_raises_no_alarm_and_stays_on_record(compensated: UUID) -> None:
    Operation.objects.filter(kind="void").delete()
    audit()
    for finding in open_findings():
        accept(finding.pk, JUSTIFICATION, now=datetime.now(UTC))
        accept(finding.pk, Justification("bob", "me too"), now=datetime.now(UTC))
    assert audit().ok is True
    assert {(each.accepted_by, each.accepted_reason) for each in open_findings()} == {
        (JUSTIFICATION.by, JUSTIFICATION.reason)
    }
    reported = audit_state(now=datetime.now(UTC))
    assert (reported.ok, reported.open, reported.accepted) == (True, 0, len(opened()))


def test_what_a_person_has_settled_outside_is_not_given_back_again(compensated: UUID) -> None:
    """The refund was paid by bank transfer: the gateway still has the money, and the saga's log says why."""
    drift.take_money(compensated)
    SagaLogEntry.objects.using(ALIAS).filter(saga_id=compensated, step="authorise_payment", kind="undone").update(
        kind="settled"
    )
    audit()
    finding = open_findings().get(invariant="Q3")
    assert (finding.repair, finding.advice) == ("", SETTLED_OUTSIDE)


def test_an_old_saga_is_found_in_its_turn_and_then_looked_at_by_every_run(
    compensated: UUID, shop: Shop, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One portion is one saga, and a run comes through one portion of what is old."""
    for _ in range(3):
        courier.settle(shop.place())
    monkeypatch.setattr(auditor, "PORTION", 1)
    monkeypatch.setattr(running, "ROTATING_FOR", timedelta(0))
    first = datetime.now(UTC) + timedelta(hours=3)

    def looked_at(hour: int) -> int:
        run = schedule.run_once(clock=lambda: first + timedelta(hours=hour))
        assert run is not None
        return run.sagas

    assert [looked_at(hour) for hour in range(2)] == [1, 1]
    drift.hold_again(compensated)
    assert [looked_at(hour) for hour in range(2, 4)] == [1, 1]
    assert compensated not in {each.saga_id for each in open_findings()}, "it is not its turn"
    assert [looked_at(hour) for hour in range(4, 6)] == [1, 2]
    assert compensated in {each.saga_id for each in open_findings()}


def test_a_saga_that_ends_after_it_was_new_is_looked_at_again(shop: Shop, courier: Courier) -> None:
    courier.loses = "schedule_shipment"
    saga_id = shop.place()
    courier.deliver()
    later = datetime.now(UTC) + timedelta(hours=2)
    schedule.run_once(clock=lambda: later)
    last = AuditRun.objects.using(ALIAS).get()
    assert last.unfinished == [str(saga_id)]


def test_a_run_that_cannot_read_a_database_says_so_and_closes_nothing(
    compensated: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    drift.hold_again(compensated)
    audit()
    before = opened()
    with monkeypatch.context() as patched:
        patched.setitem(connections["shipping"].settings_dict, "NAME", "nowhere")
        patched.setitem(connections["shipping"].settings_dict, "OPTIONS", {})
        connections["shipping"].close()
        run = audit()
    connections["shipping"].close()
    assert run.ok is None
    assert run.error.startswith("database shipping (nowhere):")
    assert opened() == before
    reported = audit_state(now=datetime.now(UTC))
    assert reported.ok is False
    assert reported.error == run.error


def test_a_run_that_is_stopped_leaves_the_next_one_where_to_go_on(completed: UUID) -> None:
    stopped = schedule.run_once(stopped=lambda: True)
    assert stopped is not None
    assert (stopped.ok, stopped.error) == (None, Stopped.__doc__)
    assert audit().ok is True


def test_a_run_whose_process_died_is_ended_by_the_next(completed: UUID) -> None:
    now = datetime.now(UTC)
    died = run_rows.start(now=now - timedelta(hours=2))
    assert run_rows.is_due(timedelta(days=1), now=now)
    run = schedule.run_once(every=timedelta(days=1))
    assert run is not None
    assert run.ok is True
    died.refresh_from_db(using=ALIAS)
    assert (died.is_running, died.ok, died.error) == (False, None, run_rows.DIED)
    with pytest.raises(run_rows.Overtaken):
        run_rows.save_progress(died, now=now)


def test_old_runs_are_forgotten_when_another_has_come_to_its_end(completed: UUID) -> None:
    now = datetime.now(UTC)
    old, young = (run_rows.start(now=now - age) for age in (run_rows.KEPT + timedelta(days=1), timedelta(days=1)))
    assert schedule.run_once(every=timedelta(0)) is not None
    left = set(AuditRun.objects.using(ALIAS).values_list("pk", flat=True))
    assert old.pk not in left
    assert young.pk in left


def test_one_process_at_a_time_audits(completed: UUID) -> None:
    start = threading.Barrier(4)

    def audit_too() -> AuditRun | None:
        start.wait(10)
        try:
            return schedule.run_once(every=timedelta(hours=1))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        made = [each.result() for each in [pool.submit(audit_too) for _ in range(4)]]
    assert len([run for run in made if run]) == 1
    assert AuditRun.objects.using(ALIAS).count() == 1


def test_whoever_comes_after_another_waits_for_the_period_to_be_over(completed: UUID) -> None:
    assert schedule.run_once(every=timedelta(hours=1)) is not None
    assert schedule.run_once(every=timedelta(hours=1)) is None
    assert AuditRun.objects.using(ALIAS).count() == 1


def test_no_audit_is_due_before_its_period_is_over(completed: UUID) -> None:
    now = datetime.now(UTC)
    assert run_rows.is_due(timedelta(hours=1), now=now)
    audit()
    assert not run_rows.is_due(timedelta(hours=1), now=now)
    assert run_rows.is_due(timedelta(hours=1), now=now + timedelta(hours=1, seconds=5))
    assert last_run() == AuditRun.objects.using(ALIAS).get()


def test_orders_being_placed_are_no_finding(shop: Shop, courier: Courier) -> None:
    options: tuple[dict[str, Any], ...] = (
        {},
        {"line2": "carrier_refuse"},
        {"payment_method": "tok_declined"},
        {"payment_method": "tok_fail_1"},
    )

    def place_orders() -> None:
        for number in range(30):
            courier.settle(shop.place(**options[number % len(options)]))
        connections.close_all()

    with ThreadPoolExecutor(1) as background:
        placing = background.submit(place_orders)
        audits = 0
        while not placing.done():
            assert audit().ok is True
            audits += 1
        placing.result()
    assert audits > 1
    audit()
    assert not AuditFinding.objects.using(ALIAS).exists()
