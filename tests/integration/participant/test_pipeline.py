"""Statements sent past psycopg's cursors: what comes back, what is raised, and what the connection is good for then."""

import select
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import DataError, NotSupportedError, ProgrammingError, connections, transaction

from inventory.models import Stock
from orchestration.db import pipeline
from orchestration.db.pipeline import Asked, answered, written
from orchestration.db.sql import as_array, execute
from tests.integration.participant.gathering import ALIAS

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["inventory"]),
    pytest.mark.usefixtures("connection_as_it_was"),
]


@pytest.fixture(autouse=True)
def good_for_the_next() -> Iterator[None]:
    """Whatever happened, the next statement is answered."""
    yield
    assert execute(ALIAS, "SELECT 1") == [(1,)]


@pytest.fixture
def raw() -> Any:
    connections[ALIAS].ensure_connection()
    return connections[ALIAS].connection


def run(raw: Any, asked: list[Asked]) -> list[Any]:
    return answered(written(raw, asked))


def prepared_by(raw: Any) -> list[str]:
    return [text for (text,) in raw.execute("SELECT statement FROM pg_prepared_statements").fetchall()]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", 'it\'s 100 % \\ "so" {1,2} — ü'),
        ("text", ""),
        ("text", None),
        ("int", 7),
        ("bigint", 2**40),
        ("bool", True),
        ("numeric", None),
        ("uuid", uuid4()),
        ("timestamptz", datetime(2026, 11, 30, 12, 0, 0, 123456, tzinfo=UTC)),
        ("bytea", b"\x00\xff"),
        ("text[]", ["a", "b,c", 'd"e', None]),
    ],
)
def test_a_value_comes_back_as_it_went(type_: str, value: Any) -> None:
    assert execute(ALIAS, f"SELECT %s::{type_}", value) == [(value,)]


def test_json_stays_text() -> None:
    assert execute(ALIAS, "SELECT %s::jsonb", '{"a": 1}') == [('{"a": 1}',)]


def test_texts_of_any_kind_make_an_array() -> None:
    texts = ["plain", "with space", "a,b", 'quo"te', "back\\slash", "{brace}", "", "NULL", "ü", " lead"]
    assert execute(ALIAS, "SELECT unnest(%s::text[])", as_array(texts)) == [(text,) for text in texts]


def test_a_percent_sign_is_written_twice() -> None:
    assert execute(ALIAS, "SELECT 7 %% 4, %s || '%%'", "x") == [(3, "x%")]


def test_no_rows_are_no_rows(raw) -> None:
    assert run(raw, [Asked("SELECT 1 WHERE false")]) == []
    assert run(raw, [Asked("CREATE TEMPORARY TABLE passing (n int)"), Asked("DROP TABLE passing")]) == []


def test_the_rows_are_those_of_the_last(raw) -> None:
    assert run(raw, [Asked("SELECT 1"), Asked("SELECT %s::int", [2])]) == [(2,)]


def test_more_than_any_buffer_holds_goes_both_ways_in_one_trip(raw) -> None:
    """Whoever sends all before reading anything waits for ever for a server that does the same."""
    much = "x" * 3_000_000
    asked = [Asked("SELECT %s::text", [much])] * 5
    assert run(raw, asked) == [(much,)]


def test_a_text_is_prepared_once_and_by_the_types_of_its_parameters(raw) -> None:
    for value in (1, 2, 2**40, "3"):
        execute(ALIAS, "SELECT %s::bigint AS once", value)

    assert prepared_by(raw).count("SELECT $1::bigint AS once") == 3


def test_the_same_new_text_twice_in_a_trip_is_prepared_once(raw) -> None:
    run(raw, [Asked("SELECT 'twice'")] * 2)

    assert prepared_by(raw).count("SELECT 'twice'") == 1


def test_what_does_not_recur_is_not_prepared(raw) -> None:
    run(raw, [Asked("SELECT 'passing'", recurs=False)])

    assert "SELECT 'passing'" not in prepared_by(raw)


def test_texts_without_end_do_not_fill_the_servers_memory(raw, monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "PREPARED_AT_MOST", len(pipeline._prepared.get(raw, ())) + 3)
    before = len(prepared_by(raw))

    for number in range(10):
        assert execute(ALIAS, f"SELECT {number}") == [(number,)]

    assert len(prepared_by(raw)) <= before + 3


def test_what_cannot_be_prepared_is_an_error_each_time_and_spoils_nothing_else(raw) -> None:
    for _ in range(2):
        with pytest.raises(ProgrammingError):
            execute(ALIAS, "SELECT FROM WHERE")
        assert execute(ALIAS, "SELECT 'sound'") == [("sound",)]


def test_a_statement_behind_an_error_is_prepared_when_it_comes_again(raw) -> None:
    with suppress(psycopg.Error):
        run(raw, [Asked("SELECT 1 / 0"), Asked("SELECT 'behind'")])

    assert run(raw, [Asked("SELECT 'behind'")]) == [("behind",)]


def test_an_error_is_of_its_kind_and_says_its_code() -> None:
    with pytest.raises(DataError, match="division by zero") as error:
        execute(ALIAS, "SELECT 1 / %s::int", 0)

    assert error.value.__cause__.sqlstate == "22012"  # type: ignore[union-attr]


def test_a_rollback_of_djangos_takes_no_statement_of_ours() -> None:
    execute(ALIAS, "SELECT 'ours'")
    with suppress(ZeroDivisionError), transaction.atomic(using=ALIAS):
        for _ in range(10):
            list(Stock.objects.all())
        raise ZeroDivisionError

    assert execute(ALIAS, "SELECT 'ours'") == [("ours",)]


def test_what_no_pipeline_can_do_is_refused() -> None:
    with pytest.raises(NotSupportedError):
        execute(ALIAS, "COPY (SELECT 1) TO STDOUT")
    connections[ALIAS].close()


def test_a_parameter_that_cannot_be_written_leaves_the_transaction_as_it_was() -> None:
    with transaction.atomic(using=ALIAS):
        with pytest.raises(ProgrammingError):
            execute(ALIAS, "SELECT %s", object())
        assert execute(ALIAS, "SELECT 1") == [(1,)]


def test_a_connection_left_in_the_midst_of_something_is_not_used_again(raw, monkeypatch) -> None:
    class Interrupted:
        def register(self, *_: Any) -> None: ...

        def poll(self, *_: Any) -> None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(select, "poll", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(ALIAS, "SELECT pg_sleep(0.2)")

    assert raw.closed
    connections[ALIAS].close()


@pytest.mark.parametrize("reason", ["while it waits", "in the midst"])
def test_why_the_server_goes_away_is_reported(raw, reason: str) -> None:
    end = Asked("SELECT pg_terminate_backend(%s, 5000)", [raw.info.backend_pid])
    if reason == "while it waits":
        with psycopg.connect(raw.info.dsn, password=raw.info.password, autocommit=True) as other:
            run(other, [end])

    with pytest.raises(psycopg.OperationalError) as error:
        run(raw, [end, Asked("SELECT 1")])

    assert error.value.sqlstate == "57P01"
    assert raw.closed
    connections[ALIAS].close()
