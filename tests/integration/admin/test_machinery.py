"""Breakers, dead letters, findings and the dashboard's tiles: who may act, why a reason is needed, and what is down."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError
from django.test import Client

from config import env
from orchestration.admin import dashboard
from orchestration.models import AuditFinding, AuditRun, MachineryLogEntry
from orchestration.operators.insight import counts
from orchestration.participant.breaker_redis import BreakerKeys, connect
from orchestration.participant.breaker_registry import in_use
from tests.integration.admin.conftest import SAGAS, Operator
from tests.integration.admin.situations import Situations
from tests.support import markup
from tests.support.broker import channel, dead_letters, talking_to

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))

AT = "/admin/operations"
WHY = {"reason": "the gateway is down for an hour"}


@pytest.fixture
def breaker() -> Any:
    """One of this process, closed again afterwards."""
    found = next(iter(in_use().values()))
    yield found
    found.close()


@pytest.fixture
def dead_letter(workforce: Any) -> Any:
    """One message that nobody could carry out, about no saga."""
    queue = settings.TOPOLOGY.dead_letter_queue.name
    with channel() as opened:
        death = [{"queue": settings.TOPOLOGY.name("payments"), "reason": "rejected"}]
        message = opened.prepare_message(b"not JSON", headers={"task": "payments.no_such", "x-death": death})
        opened.basic_publish(message, routing_key=queue)
    yield queue
    with channel() as opened:
        opened.queue_purge(queue)
        opened.queue_purge(settings.TOPOLOGY.name("payments"))


@pytest.fixture
def finding() -> AuditFinding:
    now = datetime.now(UTC)
    seen = {"first_seen_at": now, "opened_at": now, "last_seen_at": now}
    return AuditFinding.objects.create(
        fingerprint="a", invariant="A1", message="MUG-01 has reserved 3, live are 2", advice="Count it.", **seen
    )


def said(client: Client, url: str) -> str:
    """What a page says, without markup."""
    return markup.said(client.get(url).content.decode())


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.parametrize(
    "path",
    [
        *("breakers/payments.gateway/open/", "breakers/payments.gateway/close/"),
        *("dead-letters/0123/send/", "dead-letters/0123/discard/"),
        *("findings/1/apply/", "findings/1/accept/"),
    ],
)
def test_nobody_acts_on_the_machinery_without_its_permission(path: str, hire: Callable[..., Operator]) -> None:
    client = hire("view_sagainstance", "view_auditfinding").client
    assert client.post(f"{AT}/{path}", WHY).status_code == 403
    assert Client().post(f"{AT}/{path}", WHY)["Location"].startswith("/admin/login/")


def test_a_breaker_is_opened_and_closed_for_a_reason(hire: Callable[..., Operator], breaker: Any) -> None:
    client = hire("view_sagainstance", "operate_breakers").client
    opened = client.post(f"{AT}/breakers/{breaker.name}/open/", WHY | {"minutes": "60"}, follow=True)
    assert messages_of(opened) == [f"{breaker.name} is open."]
    assert f"{breaker.name} open" in said(client, f"{AT}/tiles/breakers/")
    closed = client.post(f"{AT}/breakers/{breaker.name}/close/", WHY, follow=True)
    assert messages_of(closed) == [f"{breaker.name} is closed."]
    assert f"{breaker.name} closed" in said(client, f"{AT}/tiles/breakers/")
    entries = MachineryLogEntry.objects.order_by("pk").values_list("action", "by", "via", "reason", "outcome")
    assert list(entries) == [
        (action, "operator", "admin", WHY["reason"], "done") for action in ("open_breaker", "close_breaker")
    ]


def test_nothing_is_done_to_a_breaker_when_it_cannot_be_written_down(
    hire: Callable[..., Operator], breaker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseError("connection refused")

    client = hire("view_sagainstance", "operate_breakers").client
    monkeypatch.setattr(MachineryLogEntry, "save", away)
    answer = client.post(f"{AT}/breakers/{breaker.name}/open/", WHY, follow=True)
    reported = "Nothing was done: It could not be recorded first: connection refused"
    assert messages_of(answer) == [reported]
    assert breaker.look_closely().open_until is None


@pytest.mark.parametrize("page", ["breakers", "dead-letters"])
def test_the_machinery_log_is_a_link_away_for_who_may_see_it(page: str, hire: Callable[..., Operator]) -> None:
    log = "/admin/orchestration/machinerylogentry/"
    link = f'<a href="{log}">The machinery log</a>'
    operator = hire("view_sagainstance", "view_machinerylogentry")
    assert link in operator.client.get(f"{AT}/{page}/").content.decode()
    assert operator.client.get(log).status_code == 200
    User.objects.get().user_permissions.set(Permission.objects.filter(codename="view_sagainstance"))
    assert link not in operator.client.get(f"{AT}/{page}/").content.decode()
    assert operator.client.get(log).status_code == 403


def test_an_entry_of_the_machinery_log_is_only_looked_at(hire: Callable[..., Operator], breaker: Any) -> None:
    client = hire("operate_breakers", "view_machinerylogentry", "change_machinerylogentry").client
    client.post(f"{AT}/breakers/{breaker.name}/open/", WHY)
    entry = MachineryLogEntry.objects.get()
    address = f"/admin/orchestration/machinerylogentry/{entry.pk}/"
    assert WHY["reason"] in said(client, f"{address}change/")
    assert client.post(f"{address}change/", {"reason": "another"}).status_code == 403
    assert client.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert MachineryLogEntry.objects.get().reason == WHY["reason"]


def test_the_machinery_log_tells_the_second_at_which_something_was_asked(
    hire: Callable[..., Operator], breaker: Any
) -> None:
    client = hire("operate_breakers", "view_machinerylogentry").client
    client.post(f"{AT}/breakers/{breaker.name}/open/", WHY)
    asked_at = MachineryLogEntry.objects.get().asked_at
    assert f"{asked_at:%Y-%m-%d %H:%M:%S}" in said(client, "/admin/orchestration/machinerylogentry/")


def test_nothing_is_done_to_a_breaker_without_a_reason(hire: Callable[..., Operator], breaker: Any) -> None:
    client = hire("view_sagainstance", "operate_breakers").client
    answer = client.post(f"{AT}/breakers/{breaker.name}/open/", follow=True)
    assert messages_of(answer) == ["Nothing was done: a reason is needed."]
    assert breaker.look_closely().open_until is None


@pytest.mark.parametrize("word", ["discard", "send"])
def test_a_dead_letter_is_looked_at_and_done_with(word: str, hire: Callable[..., Operator], dead_letter: str) -> None:
    client = hire("view_sagainstance", "handle_dead_letters").client
    (found,) = client.get(f"{AT}/dead-letters/").context["heap"].dead_letters
    assert "payments.no_such rejected" in said(client, f"{AT}/dead-letters/")
    assert messages_of(client.post(f"{AT}/dead-letters/{found.id}/{word}/", follow=True)) == [
        "Nothing was done: a reason is needed."
    ]
    assert dead_letters() == 1
    client.post(f"{AT}/dead-letters/{found.id}/{word}/", WHY)
    assert dead_letters() == 0
    entry = MachineryLogEntry.objects.get()
    assert (entry.action.partition("_")[0], entry.by, entry.reason) == (word, "operator", WHY["reason"])
    assert (entry.subject, entry.outcome) == (f"{dead_letter}/{found.id}", "done")
    late = client.post(f"{AT}/dead-letters/{found.id}/{word}/", WHY, follow=True)
    assert messages_of(late)[-1].startswith("Nothing was done: ")


def test_a_finding_is_accepted_by_the_first_word(hire: Callable[..., Operator], finding: AuditFinding) -> None:
    client = hire("view_sagainstance", "view_auditfinding", "accept_finding").client
    assert "MUG-01 has reserved 3" in said(client, f"{AT}/findings/")
    assert "None can be applied: no saga can put it right. Count it." in said(client, f"{AT}/findings/{finding.pk}/")
    for reason in ("counted by hand", "another"):
        client.post(f"{AT}/findings/{finding.pk}/accept/", {"reason": reason})
    finding.refresh_from_db()
    assert (finding.accepted_by, finding.accepted_reason) == ("operator", "counted by hand")
    assert "0 open findings, 1 accepted" in said(client, f"{AT}/tiles/audits/")


def test_what_the_last_audit_could_not_check_is_said(hire: Callable[..., Operator]) -> None:
    now = datetime.now(UTC)
    ended = {"started_at": now, "alive_until": now, "ended_at": now, "is_running": False, "ok": True}
    gap = {"invariants": ["A4", "Q4"], "why": "at the gateway: it is not the sandbox"}
    AuditRun.objects.create(checked={"A4": 2}, not_made=[gap], **ended)
    reported = said(hire("view_sagainstance", "view_auditfinding").client, f"{AT}/findings/")
    assert "It could not read everything; not checked: Q4; checked in part: A4." in reported
    assert "A4, Q4 at the gateway: it is not the sandbox" in reported


def test_a_finding_that_is_not_there_is_not_found(hire: Callable[..., Operator]) -> None:
    client = hire("view_auditfinding", "accept_finding", "apply_repair").client
    answers = [
        client.get(f"{AT}/findings/1/"),
        *(client.post(f"{AT}/findings/1/{w}/", WHY) for w in ("apply", "accept")),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


@pytest.mark.parametrize("name", dashboard.TILES)
def test_a_tile_is_for_operators_only(name: str, hire: Callable[..., Operator]) -> None:
    assert hire().client.get(f"{AT}/tiles/{name}/").status_code == 403


def test_the_stuck_tile_leads_to_what_does_not_move(operator: Operator, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    type(situations.shop.saga(saga_id)).objects.update(changed_at=long_ago, created_at=long_ago)
    tile = operator.client.get(f"{AT}/tiles/stuck/").content.decode()
    assert f"/admin/orchestration/sagainstance/{saga_id}/change/" in tile


def test_an_incident_on_the_dashboard_leads_to_its_sagas(operator: Operator, situations: Situations) -> None:
    situations.failing("schedule_shipment"), situations.parked_after_pivot()
    tile = operator.client.get(f"{AT}/tiles/incidents/").content.decode()
    assert len(re.findall(rf'href="{SAGAS}\?[^"]*step=', tile)) == 2


def test_a_tile_whose_database_is_away_says_so(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise DatabaseError("connection refused")

    monkeypatch.setattr(counts, "preset_counts", away)
    expected = "the database of orchestration does not answer: connection refused"
    assert said(operator.client, f"{AT}/tiles/lists/") == expected


def down_at(operator: Operator, source: str) -> set[str]:
    """Tiles that say that the source does not answer."""
    return {
        name for name in dashboard.TILES if f"{source} does not answer" in said(operator.client, f"{AT}/tiles/{name}/")
    }


def test_without_redis_only_what_is_about_breakers_says_so(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    for breaker in in_use().values():
        silent = BreakerKeys(breaker.name, lambda: connect("redis://127.0.0.1:1/0"))
        monkeypatch.setattr(breaker._record, "keys", silent)
    assert down_at(operator, "Redis") == {"breakers", "steps"}


def test_without_the_broker_only_what_is_about_queues_says_so(operator: Operator) -> None:
    with talking_to("amqp://guest:guest@127.0.0.1:1//"):
        assert down_at(operator, "RabbitMQ") == {"queues", "steps", "workers"}
