"""What operators do to breakers is on record before it is done, and what came of it afterwards."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction
from psycopg_pool import PoolTimeout
from redis.exceptions import ConnectionError as RedisGone

from orchestration.models import ALIAS, MachineryLogEntry
from orchestration.models.actions import MachineryAction, Via
from orchestration.operators.actions import recorded_action
from orchestration.operators.actions.breakers import NoSuchBreaker, RedisAway, close_breaker, open_breaker
from orchestration.operators.actions.recorded_action import NotDone, NotKnown, NotRecorded, on_record
from orchestration.operators.actions.requests import Actor, MachineryAsk, NotAsked
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import BreakerKeys, connect
from orchestration.participant.breaker_registry import in_use

pytestmark = pytest.mark.django_db(databases=[ALIAS])

ADA = Actor("ada", 1, Via.ADMIN)
WHY = "the gateway is being moved"
ASK = MachineryAsk(MachineryAction.CLOSE_BREAKER, ADA, WHY, "payments.gateway")


@pytest.fixture
def breaker() -> Iterator[Breaker]:
    found = next(iter(in_use().values()))
    found.close()
    yield found
    found.close()


def recorded() -> MachineryLogEntry:
    return MachineryLogEntry.objects.get()


def on_the_record(act: Callable[[], Any]) -> Any:
    return on_record(ASK, before={"state": "open"}, act=act, after=lambda done: {"state": done})


def die() -> None:
    raise KeyboardInterrupt


def test_who_why_before_and_after_are_on_record(breaker: Breaker) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    open_breaker(breaker.name, until=until, actor=ADA, reason=WHY)
    entry = recorded()
    assert (entry.action, entry.subject, entry.by, entry.user_id, entry.via, entry.reason) == (
        *("open_breaker", breaker.name, "ada", 1, "admin", WHY),
    )
    assert entry.wanted == {"until": until.isoformat()}
    assert (entry.before["state"], entry.before["next_probe"]) == ("closed", None)
    assert entry.after
    assert (entry.after["state"], entry.after["next_probe"]) == ("open", until.isoformat())
    assert entry.outcome == "done"
    assert entry.ended_at
    assert entry.asked_at <= entry.ended_at


def test_it_is_written_before_anything_is_done() -> None:
    seen = on_the_record(lambda: recorded().outcome)
    assert (seen, recorded().outcome) == ("", "done")


@pytest.mark.django_db(transaction=True, databases=[ALIAS])
def test_it_is_committed_before_anything_is_done() -> None:
    def act() -> str:
        assert not connections[ALIAS].in_atomic_block
        return "closed"

    on_the_record(act)
    with transaction.atomic(using=ALIAS), pytest.raises(RuntimeError, match="durable"):
        on_the_record(lambda: pytest.fail("it would not be committed"))


def test_who_dies_in_the_middle_leaves_an_entry_without_an_end() -> None:
    with pytest.raises(KeyboardInterrupt):
        on_the_record(die)
    assert (recorded().outcome, recorded().ended_at) == ("", None)


@pytest.mark.parametrize("away", [OperationalError, DatabaseError, PoolTimeout])
def test_nothing_is_done_that_cannot_be_written_down(
    away: type[Exception], breaker: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise away("no connection")

    monkeypatch.setattr(MachineryLogEntry, "save", fail)
    with pytest.raises(NotRecorded, match="no connection"):
        open_breaker(breaker.name, until=None, actor=ADA, reason=WHY)
    assert breaker.look_closely().open_until is None


@pytest.mark.parametrize("away", [OperationalError, PoolTimeout])
def test_what_was_done_is_done_though_its_end_cannot_be_written(
    away: type[Exception], breaker: Breaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise away("no connection")

    monkeypatch.setattr(recorded_action, "Now", fail)
    open_breaker(breaker.name, until=None, actor=ADA, reason=WHY)
    assert breaker.look_closely().open_until is not None
    assert recorded().ended_at is None
    assert "its end could not be written: no connection" in caplog.text


def test_what_changed_nothing_says_so() -> None:
    def act() -> None:
        raise NotDone("there is nothing to close")

    with pytest.raises(NotDone):
        on_the_record(act)
    assert (recorded().outcome, recorded().detail) == ("nothing_changed", "there is nothing to close")


def test_whether_it_was_done_is_not_known_when_redis_goes_away_in_the_middle(
    breaker: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise RedisGone("reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(breaker._record.keys, "close", away)
        with pytest.raises(NotKnown, match="reset by peer"):
            close_breaker(breaker.name, actor=ADA, reason=WHY)
    assert (recorded().outcome, recorded().after) == ("unknown", None)


def test_nothing_is_set_out_to_where_there_is_nothing_to_do_it_to(
    breaker: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoSuchBreaker):
        close_breaker("another", actor=ADA, reason=WHY)
    with monkeypatch.context() as patched:
        patched.setattr(breaker._record, "keys", BreakerKeys(breaker.name, lambda: connect("redis://127.0.0.1:1/0")))
        with pytest.raises(RedisAway):
            close_breaker(breaker.name, actor=ADA, reason=WHY)
    assert not MachineryLogEntry.objects.exists()


@pytest.mark.parametrize(("name", "reason"), [("", WHY), ("ada", ""), ("ada", "\N{ZERO WIDTH SPACE}"), ("ada", "\0a")])
def test_nobody_acts_without_a_name_and_a_reason(name: str, reason: str, breaker: Breaker) -> None:
    with pytest.raises(NotAsked):
        open_breaker(breaker.name, until=None, actor=Actor(name, None, Via.COMMAND), reason=reason)
    assert breaker.look_closely().open_until is None
    assert not MachineryLogEntry.objects.exists()


def change(sql: str) -> None:
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute(sql.replace("THE_LOG", MachineryLogEntry._meta.db_table))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE THE_LOG SET reason = 'another'",
        "UPDATE THE_LOG SET detail = 'another'",
        "UPDATE THE_LOG SET outcome = 'done', ended_at = now(), by = 'bob'",
        "DELETE FROM THE_LOG",
    ],
)
def test_an_entry_without_an_end_is_ended_and_nothing_else(sql: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        on_the_record(die)
    with pytest.raises(IntegrityError, match="the machinery log is append-only"):
        change(sql)
    change("UPDATE THE_LOG SET outcome = 'done', ended_at = now()")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE THE_LOG SET outcome = 'unknown', ended_at = now()",
        "UPDATE THE_LOG SET outcome = '', ended_at = NULL",
        "DELETE FROM THE_LOG",
    ],
)
def test_an_entry_with_an_end_never_changes(sql: str) -> None:
    on_the_record(lambda: "closed")
    with pytest.raises(IntegrityError, match="the machinery log is append-only"):
        change(sql)
