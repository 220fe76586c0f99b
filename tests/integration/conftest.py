"""Sagas that stand where a test puts them, with a broker that keeps what it is given."""

import pytest

from orchestration.engine import dispatch
from payments import services as payments
from payments.gateways.sandbox.gateway import SandboxGateway
from shipping import services as shipping
from shipping.carriers.sandbox.carrier import SandboxCarrier
from tests.integration.admin.situations import Post, Situations
from tests.integration.admin.unknown import Unknown


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """Stands where the broker is."""
    post = Post()
    monkeypatch.setattr(dispatch, "send", post.send)
    monkeypatch.setattr(dispatch, "broker_is_ready", post.is_ready)
    return post


@pytest.fixture
def situations(db: None, post: Post) -> Situations:
    return Situations()


@pytest.fixture
def unknown(situations: Situations, monkeypatch: pytest.MonkeyPatch) -> Unknown:
    monkeypatch.setattr(payments, "gateway", lambda: SandboxGateway(sleep=lambda seconds: None))
    monkeypatch.setattr(shipping, "carrier", lambda: SandboxCarrier(sleep=lambda seconds: None))
    return Unknown(situations)
