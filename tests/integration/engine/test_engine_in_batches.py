"""Several events at once: one transaction for those of a kind, and each saga as if it were alone."""

from datetime import UTC, datetime

import pytest
from uuid_utils.compat import uuid7

from orchestration.engine import engine, store
from orchestration.engine.engine import NoSuchSaga
from orchestration.engine.saga_event import SagaEvent
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.events import CancelRequested, ChainCompleted, StepRefused
from orchestration.protocol.states import Undo
from orchestration.protocol.transitions import Contradiction
from orchestration.sagas.checkout import checkout
from tests.support.shop import NOT_NEEDED, Shop

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
COMPLETED = ChainCompleted(done=tuple((step.name, NOW) for step in checkout.steps if step.name not in NOT_NEEDED))
REFUSED = StepRefused("reserve_stock", {"code": "out_of_stock"})


def start():
    request = Shop().request()
    origin = engine.Origin("ann", request.idempotency_key, "hash")
    return engine.start_saga(checkout, request, saga_id=uuid7(), origin=origin, now=NOW).saga_id


def phases(*sagas) -> list[str]:
    rows = SagaInstance.objects.in_bulk(sagas)
    return [rows[saga].phase for saga in sagas]


def test_each_saga_gets_what_it_would_get_alone(sent):
    done, refused, broken, again = (start() for _ in range(4))
    engine.apply(again, COMPLETED, now=NOW)
    engine.apply(broken, REFUSED, now=NOW)
    stranger = uuid7()

    outcomes = engine.apply_all(
        [
            SagaEvent(done, COMPLETED, {"capture_id": "c-1"}),
            SagaEvent(refused, REFUSED),
            SagaEvent(broken, COMPLETED),
            SagaEvent(again, COMPLETED),
            SagaEvent(stranger, COMPLETED),
        ],
        now=NOW,
    )

    assert [getattr(each, "phase", type(each)) for each in outcomes] == [
        "completed",
        "compensating",
        Contradiction,
        "completed",
        NoSuchSaga,
    ]
    assert phases(done, refused, broken) == ["completed", "compensating", "compensating"]
    assert SagaInstance.objects.get(pk=done).answers == {"capture_id": "c-1"}
    numbers = SagaLogEntry.objects.filter(saga=done).values_list("sequence", flat=True)
    assert list(numbers.order_by("sequence")) == list(range(1, 8))


def test_two_events_of_one_saga_happen_one_after_the_other(sent):
    saga = start()

    first, second = engine.apply_all([SagaEvent(saga, CancelRequested()), SagaEvent(saga, REFUSED)], now=NOW)

    assert [first.phase, second.phase] == ["barring", "compensating"]
    assert phases(saga) == ["compensating"]


def test_a_lost_race_sends_nothing_and_is_decided_again(sent, monkeypatch):
    overtaken, other = start(), start()
    compare_and_set, faster = store.compare_and_set, []

    def too_late(changes, **options):
        if not faster:
            faster.append(True)
            engine.apply(overtaken, COMPLETED, now=NOW)
        return compare_and_set(changes, **options)

    monkeypatch.setattr(store, "compare_and_set", too_late)
    late = SagaEvent(overtaken, CancelRequested())
    outcomes = engine.apply_all([late, SagaEvent(other, CancelRequested())], now=NOW)

    assert [getattr(each, "phase", type(each).__name__) for each in outcomes] == ["TooLate", "barring"]
    assert phases(overtaken, other) == ["completed", "barring"]
    assert len(sent.commands) == 2 + 1, "two starts, and one bar"
    assert not any(isinstance(command, Undo) for command, _ in sent.commands)
