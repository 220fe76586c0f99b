"""Each drift that a saga can put right: made, found, proposed, applied once, and gone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction
from django.db.models import F
from django.db.models.functions import Now

from inventory.models import Reservation, Stock
from orchestration.contracts.inventory import release_stock
from orchestration.db import clocks
from orchestration.engine import engine
from orchestration.models import ALIAS, SagaInstance
from orchestration.models.audit import AuditFinding
from orchestration.operators.audit import apply as applying
from orchestration.operators.audit import schedule
from orchestration.operators.audit.apply import Applied, Justification, NoSuchFinding, NotApplicable, apply, proposal
from orchestration.operators.audit.queries import open_findings
from orchestration.operators.audit.violations import violations
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import participant_of
from orchestration.testing import step_runner
from payments.gateways.sandbox import models as gateway
from shipping.carriers.sandbox import models as carrier
from tests.integration.operators.audit import drift
from tests.integration.operators.audit.courier import Courier
from tests.integration.operators.audit.test_outcome_violations import write_an_order
from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("one_clock")

JUSTIFICATION = Justification("ada", "seen on the dashboard")

DRIFTS: list[tuple[Callable[[UUID], object], str]] = [
    (drift.hold_again, "release_leftover_hold.v1"),
    (drift.hold_money_again, "reverse_leftover_payment.v1"),
    (drift.take_money, "reverse_leftover_payment.v1"),
    (drift.book_again, "cancel_leftover_parcel.v1"),
]
drifts = pytest.mark.parametrize(("make", "kind"), DRIFTS, ids=lambda value: getattr(value, "__name__", value))


def found(kind: str) -> list[int]:
    """The findings that this kind of saga would put right, after an audit or two."""
    schedule.run_once()
    schedule.run_once()
    return list(open_findings().filter(repair=kind).order_by("pk").values_list("pk", flat=True))


def applied(finding_id: int) -> Applied:
    return apply(finding_id, JUSTIFICATION, now=datetime.now(UTC))


def outcomes() -> set[str]:
    """What has become of the findings whose repair was applied."""
    return set(AuditFinding.objects.using(ALIAS).filter(applied_at__isnull=False).values_list("outcome", flat=True))


@drifts
def test_drift_of_a_compensated_saga_is_put_right(
    compensated: UUID, courier: Courier, make: Callable[[UUID], object], kind: str
) -> None:
    drift.let_an_hour_pass()
    make(compensated)
    first, *_ = found(kind)
    repair = applied(first)
    assert repair.started
    assert courier.settle(repair.saga_id) == "completed"
    assert violations() == []
    schedule.run_once()
    assert not open_findings().exists()
    assert outcomes() == {AuditFinding.Outcome.GONE}
    finding = AuditFinding.objects.using(ALIAS).get(pk=first)
    assert (finding.applied_by, finding.applied_reason) == (JUSTIFICATION.by, JUSTIFICATION.reason)
    assert finding.repair_saga_id == repair.saga_id


def test_a_parcel_that_was_not_cancelled_is_cancelled(shop: Shop, courier: Courier) -> None:
    courier.loses = "place_order"
    saga_id = shop.place()
    courier.deliver()
    engine.cancel_saga(saga_id, now=datetime.now(UTC))
    assert courier.settle(saga_id) == "compensated"
    drift.forget_to_cancel(saga_id)
    repair = applied(found("cancel_leftover_parcel.v1")[0])
    assert courier.settle(repair.saga_id) == "completed"
    assert violations() == []
    assert carrier.Operation.objects.filter(kind="cancel").count() == 1


def test_what_is_reserved_for_nobody_is_recounted(completed: UUID, courier: Courier) -> None:
    Stock.objects.update(reserved=F("reserved") + 3)
    a1, a2 = found("recount_reserved.v1")
    repair = applied(a1)
    schedule.run_once()
    assert outcomes() == {""}, "the repair is under way"
    assert applied(a2).saga_id == repair.saga_id, "one drift, one saga"
    assert courier.settle(repair.saga_id) == "completed"
    assert Stock.objects.get().reserved == 2
    assert violations() == []


def test_movements_that_tell_another_story_are_left_to_a_person(completed: UUID, courier: Courier) -> None:
    Reservation.objects.update(quantity=1)
    repair = applied(found("recount_reserved.v1")[0])
    assert courier.settle(repair.saga_id) == "compensated"
    assert failure(repair.saga_id) == "movements_disagree"
    assert Stock.objects.get().reserved == 2
    schedule.run_once()
    assert outcomes() == {AuditFinding.Outcome.STILL_THERE}


@drifts
def test_a_second_click_changes_nothing(
    compensated: UUID, courier: Courier, make: Callable[[UUID], object], kind: str
) -> None:
    make(compensated)
    first, *_ = found(kind)
    repair = applied(first)
    again = apply(first, Justification("bob", "me too"), now=datetime.now(UTC))
    assert (again.saga_id, again.started, again.finding.applied_by) == (repair.saga_id, False, "ada")
    courier.settle(repair.saga_id)
    late = apply(first, Justification("bob", "me too"), now=datetime.now(UTC))
    assert (late.saga_id, late.started) == (repair.saga_id, False)
    assert _repairs() == 1


def test_two_operators_at_once_start_one_saga(compensated: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two findings with the same repair; whoever makes an id waits for another who does, in vain."""
    drift.hold_again(compensated)
    both = found("release_leftover_hold.v1")
    assert len(both) == 2
    start, meeting, new_id = threading.Barrier(3), threading.Barrier(2), clocks.new_id
    monkeypatch.setattr(applying, "_look_again", lambda finding: start.wait(10))

    def meet_and_make_id(now: datetime) -> UUID:
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.5)
        return new_id(now)

    monkeypatch.setattr(clocks, "new_id", meet_and_make_id)

    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(_in_a_thread, (*both, both[0])))
    assert len({each.saga_id for each in made}) == 1
    assert [each.started for each in made].count(True) == 1
    assert _repairs() == 1


def test_whoever_clicks_while_another_starts_it_changes_nothing(
    compensated: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    drift.hold_again(compensated)
    first, second = found("release_leftover_hold.v1")
    start = engine.start_saga
    met: list[Applied] = []

    def slowly(*said: Any, **more: Any) -> Any:
        with transaction.atomic(using=ALIAS):  # its key is held until the end
            started = start(*said, **more)
            if not met:
                with monkeypatch.context() as patched, ThreadPoolExecutor(1) as pool:
                    patched.setattr(engine, "start_saga", start)
                    met.append(pool.submit(_in_a_thread, second).result())
        return started

    monkeypatch.setattr(engine, "start_saga", slowly)
    repair = applied(first)
    assert (met[0].saga_id, met[0].started) == (repair.saga_id, False)
    assert _repairs() == 1


def _in_a_thread(finding_id: int) -> Applied:
    try:
        return applied(finding_id)
    finally:
        connections.close_all()


def test_a_word_that_was_written_down_by_a_process_that_died_is_carried_out_by_the_next(
    compensated: UUID, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    drift.hold_again(compensated)
    finding_id, *_ = found("release_leftover_hold.v1")
    with monkeypatch.context() as patched:
        patched.setattr(engine, "start_saga", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            applied(finding_id)
    assert _repairs() == 0
    assert courier.settle(applied(finding_id).saga_id) == "completed"
    assert violations() == []


def test_nobody_is_said_to_have_applied_what_cannot_be_asked_for(
    compensated: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    drift.hold_money_again(compensated)
    finding_id, *_ = found("reverse_leftover_payment.v1")
    monkeypatch.setattr(applying, "_look_again", lambda finding: None)
    monkeypatch.setattr("orchestration.engine.selectors.saga", lambda saga_id: None)
    with pytest.raises(NotApplicable, match="not there any more"):
        applied(finding_id)
    assert AuditFinding.objects.get(pk=finding_id).applied_at is None


def test_drift_that_is_not_there_any_more_is_not_repaired(compensated: UUID) -> None:
    Reservation.objects.update(released_at=None)
    finding_id, *_ = found("release_leftover_hold.v1")
    Reservation.objects.update(released_at=Now())
    with pytest.raises(NotApplicable, match="not there any more"):
        applied(finding_id)
    assert _repairs() == 0
    schedule.run_once()
    with pytest.raises(NotApplicable, match="it is gone"):
        applied(finding_id)


def test_a_repair_that_comes_too_late_is_refused_and_changes_nothing(compensated: UUID, courier: Courier) -> None:
    """Between the operator's word and the repair, the compensation was carried out after all."""
    drift.hold_again(compensated)
    repair = applied(found("release_leftover_hold.v1")[0])
    known = {"saga_id": str(compensated), "order_id": str(compensated)}
    step_runner.undo(participant_of("inventory"), release_stock, [Call(compensated, release_stock.step, 9, known)])
    assert courier.settle(repair.saga_id) == "compensated"
    assert failure(repair.saga_id) == "nothing_left"
    assert violations() == []


def test_a_repair_that_did_not_help_may_be_applied_anew(compensated: UUID, courier: Courier) -> None:
    drift.hold_again(compensated)
    finding_id, *_ = found("release_leftover_hold.v1")
    first = applied(finding_id)
    courier.lose_everything()
    engine.cancel_saga(first.saga_id, now=datetime.now(UTC))
    assert courier.settle(first.saga_id) == "compensated"
    assert applied(finding_id).saga_id == first.saga_id, "no audit has looked since"
    schedule.run_once()
    assert outcomes() == {AuditFinding.Outcome.STILL_THERE}
    second = applied(finding_id)
    assert second.started
    assert courier.settle(second.saga_id) == "completed"
    schedule.run_once()
    assert not open_findings().exists()


def test_what_an_order_stands_for_is_not_taken_away(compensated: UUID) -> None:
    drift.hold_again(compensated)
    write_an_order(compensated)
    schedule.run_once()
    assert open_findings().exists()
    assert not open_findings().exclude(repair="").exists()


def test_money_is_not_given_back_when_orders_knows_an_order(compensated: UUID, courier: Courier) -> None:
    """The order was written after the audit, and before the repair."""
    drift.hold_money_again(compensated)
    repair = applied(found("reverse_leftover_payment.v1")[0])
    write_an_order(compensated)
    assert courier.settle(repair.saga_id) == "compensated"
    assert not gateway.Operation.objects.exclude(kind="authorise").exists()


def test_what_no_saga_can_put_right_says_what_a_person_has_to_do(shop: Shop) -> None:
    gateway.Operation.objects.create(kind="authorise", key="key", reference="", amount_minor=100, currency="GBP")
    schedule.run_once()
    schedule.run_once()
    finding = open_findings().get(invariant="Q4")
    assert finding.advice == (
        "Compare with the gateway's dashboard. Money that no saga asked for is refunded there, by its reference."
    )
    with pytest.raises(NotApplicable, match="no saga can put it right"):
        proposal(finding.pk)
    with pytest.raises(NoSuchFinding):
        proposal(finding.pk + 1_000)


def test_a_repair_at_work_is_no_drift(compensated: UUID, courier: Courier) -> None:
    """The gateway has given the money back, and payments has not written it down yet."""
    drift.hold_money_again(compensated)
    repair = applied(found("reverse_leftover_payment.v1")[0])
    before = set(open_findings().values_list("fingerprint", flat=True))
    authorised = gateway.Operation.objects.get(kind="authorise")
    key = f"{repair.saga_id}:reverse_leftover_payment:action"
    gateway.Operation.objects.create(
        kind="void", key=key, authorisation=authorised, reference=authorised.reference, amount_minor=100, currency="GBP"
    )
    schedule.run_once()
    schedule.run_once()
    assert set(open_findings().values_list("fingerprint", flat=True)) == before
    assert courier.settle(repair.saga_id) == "completed"
    assert violations() == []


def failure(saga_id: UUID) -> str:
    """Why the saga was given up."""
    return str((SagaInstance.objects.using(ALIAS).get(pk=saga_id).failure or {})["code"])


def _repairs() -> int:
    return SagaInstance.objects.using(ALIAS).exclude(definition="checkout.v2").count()
