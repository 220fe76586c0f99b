"""A recorder in the broker's place, for tests of what the orchestrator sends and when."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from orchestration.engine import dispatch, markers
from orchestration.models import SagaInstance
from orchestration.protocol.states import Command


@dataclass
class Sent:
    """Commands and markers that would have gone to the broker; `away` makes it refuse them."""

    commands: list[tuple[Command, int]] = field(default_factory=list)
    markers: list[tuple[str, datetime]] = field(default_factory=list)
    away: bool = False


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What was sent, instead of sending it."""
    recorder = Sent()

    def send(instance: SagaInstance, command: Command) -> None:
        if recorder.away:
            raise dispatch.BrokerAway("gone")
        recorder.commands.append((command, instance.token))

    def relay(task: str, queues: list[str], last: str, kwargs: dict[str, Any]) -> Any:
        recorder.markers.append((kwargs["route"], datetime.fromisoformat(kwargs["sent_at"])))
        return type("Chain", (), {"apply_async": staticmethod(lambda: None)})

    monkeypatch.setattr(dispatch, "send", send)
    monkeypatch.setattr(dispatch, "broker_is_ready", lambda: not recorder.away)
    monkeypatch.setattr(markers, "relay", relay)
    return recorder
