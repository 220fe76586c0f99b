"""Breakers over HTTP: what staff do to them is on record, and nothing is done that could not be written down."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisGone

from orchestration.models import MachineryLogEntry
from orchestration.operators.api import breakers
from orchestration.operators.insight.sources import Unavailable
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_registry import in_use
from tests.integration.api.conftest import EVERY_DATABASE, Shopper

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

WHY = "it is being changed"


@pytest.fixture
def gateway() -> Iterator[Breaker]:
    found = next(breaker for name, breaker in in_use().items() if "gateway" in name)
    yield found
    found.close()


def change(boss: Shopper, breaker: Breaker, what: str, **said: Any) -> Any:
    path = f"/breakers/{breaker.name}/{what}"
    return boss.post(path, data={"reason": WHY, **said}, content_type="application/json")


def test_what_was_done_is_on_record_the_newest_first(boss: Shopper, gateway: Breaker) -> None:
    change(boss, gateway, "open", seconds=60, dry_run=True)
    assert boss.get("/machinery-log").json() == {"results": [], "next": None}
    change(boss, gateway, "open", seconds=60)
    change(boss, gateway, "close")
    closed, opened = boss.get("/machinery-log").json()["results"]
    assert (opened["action"], opened["subject"], opened["by"], opened["via"], opened["reason"]) == (
        *("open_breaker", gateway.name, "boss", "api", WHY),
    )
    assert opened["wanted"]["until"]
    assert (opened["before"]["state"], opened["after"]["state"], opened["outcome"]) == ("closed", "open", "done")
    assert (closed["action"], closed["before"]["state"], closed["after"]["state"]) == (
        *("close_breaker", "open", "closed"),
    )
    first = boss.get("/machinery-log?limit=1").json()
    [older] = boss.client.get(first["next"], headers={"Authorization": f"Token {boss.token}"}).json()["results"]
    assert [first["results"][0]["id"], older["id"]] == [closed["id"], opened["id"]]


def test_an_entry_without_an_end_says_so(boss: Shopper) -> None:
    entry = MachineryLogEntry(
        action="discard_letter", subject="dead/0123", by="ada", via="admin", reason=WHY, before={"task": ""}
    )
    entry.save()
    [shown] = boss.get("/machinery-log").json()["results"]
    assert (shown["outcome"], shown["after"], shown["ended_at"]) == (None, None, None)


def test_what_cannot_be_written_down_is_not_done(
    boss: Shopper, gateway: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("refused")

    monkeypatch.setattr(MachineryLogEntry, "save", away)
    answer = change(boss, gateway, "open", seconds=60)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_recorded")
    assert answer["Content-Type"] == "application/problem+json"
    assert gateway.look_closely().open_until is None


def test_redis_gone_before_and_in_the_middle_are_distinguished(
    boss: Shopper, gateway: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise RedisGone("reset by peer")

    codes = []
    for method in ("look", "force_open"):
        with monkeypatch.context() as patched:
            patched.setattr(gateway._record.keys, method, gone)
            codes.append(change(boss, gateway, "open", seconds=60).json()["code"])
    assert codes == ["redis_unavailable", "not_known"]
    assert [entry.outcome for entry in MachineryLogEntry.objects.all()] == ["unknown"]


def test_redis_gone_afterwards_is_not_called_nothing_changed(
    boss: Shopper, gateway: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "breakers", lambda: Unavailable("Redis does not answer"))
    assert change(boss, gateway, "open", seconds=60, dry_run=True).json()["code"] == "redis_unavailable"
    assert change(boss, gateway, "open", seconds=60).json()["code"] == "not_known"
    assert MachineryLogEntry.objects.get().outcome == "done"
    assert gateway.look_closely().open_until is not None
