"""A saga's status, said of the row and asked of the database: both mean the same."""

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import uuid4

import pytest

from orchestration.engine import engine, store
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.status import (
    ENDS,
    SagaStatus,
    attempt_of,
    has_one_of,
    has_status,
    is_at,
    is_being_undone,
    status_of,
    step_of,
)
from orchestration.protocol.events import Due, StepFailed
from orchestration.protocol.states import ENDED, Operation, Phase
from tests.integration.admin.situations import STEPS, Situations

pytestmark = pytest.mark.django_db(databases=[ALIAS])

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def every_row() -> list[SagaInstance]:
    """One saga for each thing that rows can say."""
    columns = product(Phase, (False, True), (False, True), (False, True), ("", "authorise_payment"))
    return [
        SagaInstance(
            **dict.fromkeys(("dispatched_at", "deadline_at", "created_at", "changed_at"), NOW),
            **{"id": uuid4(), "definition": "checkout.v2", "customer_id": "ann", "idempotency_key": str(uuid4())},
            **{"request_hash": "hash", "request": {}, "phase": phase.value},
            **{"parked": parked, "paused": paused, "waits": waits, "failing_step": failing},
            due_at=None if phase in ENDED or paused else NOW,
            ended_at=NOW if phase in ENDED else None,
        )
        for phase, parked, paused, waits, failing in columns
        if not (paused and phase in ENDED)
    ]


def found(status: SagaStatus) -> set[object]:
    return set(SagaInstance.objects.using(ALIAS).filter(has_status(status)).values_list("pk", flat=True))


def test_row_and_database_agree_on_every_status() -> None:
    rows = SagaInstance.objects.using(ALIAS).bulk_create(every_row())

    for status in SagaStatus:
        assert found(status) == {row.pk for row in rows if status_of(row) is status}, status


def test_row_and_database_agree_on_what_is_unfinished() -> None:
    rows = SagaInstance.objects.using(ALIAS).bulk_create(every_row())
    unfinished = SagaInstance.objects.using(ALIAS).filter(has_one_of(frozenset(SagaStatus) - ENDS))

    assert {row.pk for row in unfinished} == {row.pk for row in rows if status_of(row) not in ENDS}


def test_row_and_database_agree_on_what_is_being_undone() -> None:
    rows = SagaInstance.objects.using(ALIAS).bulk_create(every_row())
    undoing = SagaInstance.objects.using(ALIAS).filter(is_being_undone())

    assert {row.pk for row in undoing} == {
        row.pk
        for row in rows
        if row.phase in {Phase.BARRING, Phase.COMPENSATING} and status_of(row) is not SagaStatus.PARKED
    }


def test_every_situation_has_the_status_an_operator_expects(situations: Situations) -> None:
    expected = {
        situations.running(): SagaStatus.RUNNING,
        situations.barring(): SagaStatus.GIVING_UP,
        situations.finishing(): SagaStatus.RUNNING,
        situations.failing(): SagaStatus.RETRYING,
        situations.compensating(): SagaStatus.COMPENSATING,
        situations.parked_compensation(): SagaStatus.PARKED,
        situations.parked_after_pivot(): SagaStatus.PARKED,
        situations.paused(): SagaStatus.PAUSED,
        situations.completed(): SagaStatus.COMPLETED,
        situations.compensated(): SagaStatus.COMPENSATED,
    }
    assert {saga_id: status_of(situations.shop.saga(saga_id)) for saga_id in expected} == expected


@pytest.mark.parametrize("step", STEPS)
def test_row_and_database_agree_on_the_step(step: str, situations: Situations) -> None:
    situations.every()
    rows = SagaInstance.objects.using(ALIAS).all()

    assert {row.pk for row in rows.filter(is_at(step))} == {row.pk for row in rows if step_of(row) == step}


def test_a_saga_under_way_again_is_retrying_still(situations: Situations) -> None:
    saga_id = situations.failing(tries=2)
    retried = situations.report(saga_id, Due())

    attempt = attempt_of(retried)
    assert status_of(retried) is SagaStatus.RETRYING
    assert attempt is not None
    assert (attempt.step, attempt.number, attempt.next_at) == ("authorise_payment", 3, None)
    assert attempt.in_words(NOW) == "attempt 3"


def test_who_waits_for_a_breaker_waits_and_has_tried_nothing(situations: Situations) -> None:
    saga_id = situations.running()
    until = datetime.now(UTC) + timedelta(seconds=30)
    error = {"class": "BreakerOpen", "message": "breaker is open"}
    waits = situations.report(saga_id, StepFailed("authorise_payment", Operation.ACTION, 1, error, until=until))

    attempt = attempt_of(waits)
    assert status_of(waits) is SagaStatus.WAITING
    assert attempt is not None
    assert (attempt.number, attempt.next_at) == (1, waits.due_at)


def test_what_the_broker_does_not_take_waits_for_it(situations: Situations) -> None:
    saga_id = situations.running()
    store.mark_undelivered(situations.shop.saga(saga_id), SECOND)
    assert status_of(situations.shop.saga(saga_id)) is SagaStatus.WAITING

    assert status_of(situations.report(saga_id, Due())) is SagaStatus.RUNNING


def test_a_compensation_that_failed_shows_while_the_others_go_on(situations: Situations) -> None:
    saga_id = situations.compensating()
    failed = situations.fail(saga_id, "authorise_payment", operation=Operation.COMPENSATION)

    assert failed.in_flight
    assert status_of(failed) is SagaStatus.RETRYING
    assert step_of(failed) == "authorise_payment"


def test_the_last_error_outlasts_what_went_wrong(situations: Situations) -> None:
    resumed = engine.resume_saga(situations.failing(), by="ada", reason="why not", now=datetime.now(UTC))

    assert status_of(resumed) is SagaStatus.RUNNING
    assert resumed.last_error == "GatewayTimeout"


def test_the_wait_is_said_as_people_say_it(situations: Situations) -> None:
    failing = situations.shop.saga(situations.failing())
    attempt = attempt_of(failing)

    assert failing.due_at is not None
    assert attempt is not None
    assert attempt.in_words(failing.due_at - 12 * SECOND) == "attempt 2, next in 12 s"
    assert attempt.in_words(failing.due_at + SECOND) == "attempt 2, next now"
