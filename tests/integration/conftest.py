"""Sagas that stand where a test puts them, with a broker that keeps what it is given."""

import pytest

from orchestration import dispatch
from tests.integration.admin.situations import Post, Situations


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
