"""A browser, and the shop an operator looks at with it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from orchestration.engine import dispatch
from orchestration.models import SagaInstance
from payments.models import Payment
from tests.integration.admin.situations import STEPS, Post, Situations
from tests.support.browser import HIGH, WIDE, browser

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserContext]:
    """One for all tests of this module: starting one takes longer than most of them."""
    with pytest.MonkeyPatch.context() as patched, browser() as opened:
        patched.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread, and awaits nothing
        expect.set_options(timeout=PATIENCE_MS)
        yield opened.new_context(viewport={"width": WIDE, "height": HIGH})


@pytest.fixture
def page(chromium: BrowserContext, live_server) -> Iterator[Page]:
    """A tab that may talk to nobody but the shop."""

    def only_here(route: Route) -> None:
        elsewhere.append(route.request.url)
        route.abort()

    elsewhere: list[str] = []
    tab = chromium.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    tab.route(lambda url: not url.startswith((live_server.url, "data:")), only_here)
    yield tab
    tab.close()
    chromium.clear_cookies()
    assert elsewhere == []


@pytest.fixture
def parked(workforce, monkeypatch) -> UUID:
    """A saga whose payment is to be captured, and that waits for a person since half an hour."""
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "send", Post().send)
        situations = Situations()
        saga_id = situations.parked_after_pivot()
        situations.act(saga_id, *STEPS[:-1])
    now = datetime.now(UTC)
    times = {"changed_at": now - timedelta(minutes=30), "created_at": now - timedelta(minutes=31)}
    answers = {"authorisation_id": Payment.objects.get(saga_id=saga_id).authorisation_id}
    SagaInstance.objects.filter(pk=saga_id).update(**times, answers=answers)
    return saga_id


@pytest.fixture
def at_work(shared_worker, parked, shop) -> None:
    """A shop in which orders have been placed and refused, beside the one that is stuck."""
    tokens = ["tok_ok"] * 6 + ["tok_declined"]
    sagas = [shop.place(payment_method=token) for token in tokens] + [shop.place(line2="carrier_refuse")]
    shop.ended(*sagas)


@pytest.fixture
def unrefunded(workforce, monkeypatch) -> list[UUID]:
    """Sagas that the carrier refused, and whose money could not be given back."""
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "send", Post().send)
        situations = Situations()
        sagas = [situations.parked_compensation() for _ in range(3)]
        for saga_id in sagas:
            situations.act(saga_id, *STEPS[:2])
    return sagas
