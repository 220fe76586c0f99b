"""What a long round of recovery sends late is not taken for lost at once."""

from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from orchestration.engine import dispatch, engine, markers, recovery
from orchestration.models import SagaInstance
from orchestration.sagas.checkout import checkout
from tests.support.shop import Shop

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])


def test_a_message_sent_at_the_end_of_a_long_round_is_not_lost_when_an_earlier_marker_returns(monkeypatch):
    """Round A takes its time; meanwhile B's marker goes out and comes back; then A sends its last saga."""
    sent = []
    round_began = datetime.now(UTC)
    marker_left = round_began + timedelta(seconds=20)

    def send(instance, command) -> None:
        sent.append(instance.pk)
        if len(sent) == 2:  # the marker of another process returns before the second message is published
            markers.send("checkout.v2:forward", ["x"], now=marker_left)
            markers.record_confirmed_return("checkout.v2:forward", marker_left)

    dispatch.breaker.open(float("inf"))
    monkeypatch.setattr(markers, "relay", lambda *_: type("Chain", (), {"apply_async": staticmethod(lambda: None)}))
    for _ in range(2):
        request = Shop().request()
        origin = engine.Origin("ann", request.idempotency_key, "hash")
        engine.start_saga(checkout, request, saga_id=uuid7(), origin=origin, now=round_began - timedelta(minutes=1))
    SagaInstance.objects.update(in_flight=False, due_at=round_began)
    dispatch.breaker.close()
    monkeypatch.setattr(dispatch, "broker_is_ready", lambda: True)
    monkeypatch.setattr(dispatch, "send", send)

    recovery.run_once(clock=lambda: round_began if len(sent) < 1 else marker_left)
    late = sent[1]
    recovery.run_once(clock=lambda: marker_left + timedelta(seconds=1))

    assert sent.count(late) == 1
