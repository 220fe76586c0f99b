"""Operators' pages, asked for in ways that nobody means well with."""

from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config import env
from orchestration.models import Batch, OperatorLogEntry
from orchestration.operators.actions.requests import LONGEST_TEXT
from orchestration.participant import breaker_registry
from orchestration.protocol.events import StepRefused
from tests.integration.admin.conftest import SAGAS
from tests.integration.admin.situations import Situations
from tests.integration.admin.test_bulk import BATCHES, PARKED, asked

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))

BLANK = "\N{ZERO WIDTH SPACE}\N{NO-BREAK SPACE}\N{HANGUL FILLER}"
AT = "/admin/operations"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def boss(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.mark.parametrize("minutes", ["1e300", "1e10", "inf", "nan", "-1"])
def test_a_span_beyond_the_calendar_finds_nothing(minutes: str, boss: Client, situations: Situations) -> None:
    situations.running()
    assert boss.get(SAGAS, {"stuck": minutes}).context["rows"] == []


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("field", ["created_from", "created_until"])
def test_a_time_beyond_the_calendar_is_no_filter(field: str, at: str, boss: Client, situations: Situations) -> None:
    situations.running()
    assert boss.get(SAGAS, {field: at}).context["rows"] == []
    answer = boss.get(f"{BATCHES}/new/", {"which": "filter", "action": "resume", field: at})
    assert answer["Location"] == f"{SAGAS}?{urlencode({field: at})}"


@pytest.mark.parametrize(
    "wanted",
    [
        *("[1]", '{"stuck_for": 1e300}', '{"errors": ["\\u0000"]}', '{"customer_id": "\\ud800"}', '"x"', "7", "{}"),
        *('{"failed_tries_from": Infinity}', '{"failing": false}', '{"failing": "no"}', '{"ids": []}'),
        *("1" * 5_000, "[" * 100_000),
    ],
    ids=lambda wanted: wanted[:20],
)
def test_a_batch_of_what_is_no_filter_is_not_asked_for(wanted: str, boss: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    order = asked(boss, "resume", **PARKED) | {"wanted": wanted}
    assert boss.post(f"{BATCHES}/new/resume/", order).status_code == 404
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    "said", [{"canary": str(2**31)}, {"per_second": "1e-9"}, {"reason": BLANK}, {"reason": "x" * (LONGEST_TEXT + 1)}]
)
def test_a_batch_that_no_table_can_hold_is_complained_about(
    said: dict[str, str], boss: Client, situations: Situations
) -> None:
    situations.parked_after_pivot()
    answer = boss.post(f"{BATCHES}/new/resume/", asked(boss, "resume", **PARKED) | said)
    assert set(answer.context["form"].errors) == set(said)
    assert not Batch.objects.exists()


def test_an_illegible_word_stops_no_batch(boss: Client, situations: Situations) -> None:
    situations.parked_after_pivot()
    boss.post(f"{BATCHES}/new/resume/", asked(boss, "resume", **PARKED))
    batch = Batch.objects.get()
    for why in ("\0", "x" * (LONGEST_TEXT + 1)):
        assert boss.post(f"{BATCHES}/{batch.pk}/stop/", {"why": why}).status_code == 302
        batch.refresh_from_db()
        assert batch.state == "approved"


def test_what_nobody_can_see_is_no_reason(boss: Client, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    context = boss.get(f"{AT}/sagas/{saga_id}/resume/").context
    seen = {"version": context["look"].preview.version, "looked_at": context["look"].signature, "confirm": "1"}
    answer = boss.post(f"{AT}/sagas/{saga_id}/resume/", seen | {"reason": BLANK})
    assert "reason" in answer.context["form"].errors
    assert not OperatorLogEntry.objects.exists()


def test_what_a_service_said_is_no_markup(boss: Client, situations: Situations) -> None:
    saga_id = situations.running()
    refusal = {"code": SCRIPT, "detail": SCRIPT}
    situations.report(saga_id, StepRefused("authorise_payment", refusal))
    pages = (f"{SAGAS}{saga_id}/change/", f"{AT}/sagas/{saga_id}/timeline.svg", f"{AT}/sagas/{saga_id}/resume/", SAGAS)
    for page in pages:
        assert SCRIPT not in boss.get(page).content.decode()
    assert "&lt;script&gt;" in boss.get(pages[0]).content.decode()


@pytest.mark.parametrize("minutes", ["1e300", "1e10"])
def test_a_breaker_is_not_opened_for_longer_than_there_is_time(minutes: str, boss: Client) -> None:
    name = next(iter(breaker_registry.in_use()))
    answer = boss.post(f"{AT}/breakers/{name}/open/", {"reason": "why", "minutes": minutes}, follow=True)
    assert "Nothing was done" in answer.content.decode()
    assert breaker_registry.in_use()[name].state() == "closed"


@pytest.mark.parametrize(
    "path",
    [
        *("operatorlogentry/x/change/", "auditfinding/x/change/", "machinerylogentry/x/change/"),
        *("operatorlogentry/?q=x", "operatorlogentry/?q=%00", "machinerylogentry/?q=x", "machinerylogentry/?q=%00"),
        *("operatorlogentry/?observed=%00", "operatorlogentry/?code__exact=%00", "machinerylogentry/?via__exact=%00"),
    ],
)
def test_addresses_that_name_nothing_break_nothing(path: str, boss: Client) -> None:
    assert boss.get(f"/admin/orchestration/{path}").status_code in (200, 302, 404)
