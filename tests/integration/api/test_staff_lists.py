"""Batches and the operator log, page by page."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from orchestration.models import ALIAS, Batch, BatchMember, OperatorLogEntry
from tests.integration.api.conftest import EVERY_DATABASE, Shopper, pointers
from tests.support.plans import by_indexes

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

SAGA = UUID("01900000-0000-7000-8000-000000000000")
BATCHES, LOG = "/saga-batches", f"/sagas/{SAGA}/operator-log"


def ask_for_batches(count: int) -> list[str]:
    """Ids of batches that were asked for at the same moment, as they are listed."""
    batches = [
        Batch(
            **{"action": "resume", "reason": "x", "by": "ada", "via": "api", "state": "stopped"},
            **{"canary": 0, "per_second": 1, "stop_above_percent": 20, "members_chosen": 0},
        )
        for _ in range(count)
    ]
    Batch.objects.using(ALIAS).bulk_create(batches, batch_size=500)
    return sorted((str(batch.pk) for batch in batches), reverse=True)


def write_log(count: int, saga_id: UUID = SAGA) -> list[int]:
    """Ids of entries, as they are listed."""
    said = {"action": "resume", "reason": "x", "by": "ada", "via": "api", "code": "ended", "before": {}, "after": {}}
    entries = [OperatorLogEntry(saga_id=saga_id, **said) for _ in range(count)]
    return [entry.pk for entry in reversed(OperatorLogEntry.objects.using(ALIAS).bulk_create(entries, batch_size=500))]


def followed(boss: Shopper, address: str | None) -> list[list[Any]]:
    """Ids on each page, from this one to the last."""
    pages = []
    while address:
        answer = boss.client.get(address, headers={"Authorization": f"Token {boss.token}"}).json()
        pages.append([each["id"] for each in answer["results"]])
        address = answer["next"]
    return pages


@pytest.mark.parametrize(("path", "write"), [(BATCHES, ask_for_batches), (LOG, write_log)])
def test_pages_follow_each_other_and_miss_nothing(path: str, write: Callable[[int], list[Any]], boss: Shopper) -> None:
    write_log(2, uuid4())
    older = write(3)
    listed = write(4) + older
    assert followed(boss, f"/api/v1{path}?limit=3") == [listed[:3], listed[3:6], listed[6:]]


@pytest.mark.parametrize(("path", "write"), [(BATCHES, ask_for_batches), (LOG, write_log)])
def test_what_comes_meanwhile_moves_no_page(path: str, write: Callable[[int], list[Any]], boss: Shopper) -> None:
    listed = write(4)
    first = boss.get(f"{path}?limit=2").json()
    write(2)
    assert followed(boss, first["next"]) == [listed[2:]]


def test_nothing_is_hidden_behind_the_largest_page(boss: Shopper) -> None:
    written = write_log(250)
    assert followed(boss, f"/api/v1{LOG}?limit=200") == [written[:200], written[200:]]
    assert len(boss.get(LOG).json()["results"]) == 50


@pytest.mark.parametrize("path", [BATCHES, LOG])
@pytest.mark.parametrize("limit", ["0", "201", "x"])
def test_a_limit_out_of_range_is_named(limit: str, path: str, boss: Shopper) -> None:
    answer = boss.get(f"{path}?limit={limit}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_filter")
    assert [pointer for pointer, _ in pointers(answer)] == ["/limit"]


@pytest.mark.parametrize("path", [BATCHES, LOG])
@pytest.mark.parametrize(
    "cursor", ["x", "-1", "1.5", "%D9%A1", "9" * 19, "2026-01-01T00:00:00Z~x", f"2026-01-01~{SAGA}"]
)
def test_a_cursor_of_ones_own_making_is_refused(cursor: str, path: str, boss: Shopper) -> None:
    answer = boss.get(f"{path}?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("path", "write", "count", "index"),
    [(BATCHES, ask_for_batches, 1_000, "batch_newest_first"), (LOG, write_log, 50, "operator_log_by_saga")],
)
def test_a_page_far_behind_is_read_in_the_order_of_an_index(
    path: str, write: Callable[[int], list[Any]], count: int, index: str, boss: Shopper
) -> None:
    write(count)
    write_log(5_000, uuid4())
    address = boss.get(f"{path}?limit=20").json()["next"]
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("ANALYZE orchestration_batch, orchestration_operatorlogentry")
    with CaptureQueriesContext(connections[ALIAS]) as asked:
        boss.client.get(address, headers={"Authorization": f"Token {boss.token}"})
    [statement] = [query["sql"] for query in asked if query["sql"].endswith("LIMIT 21")]
    with by_indexes(ALIAS) as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert re.search(rf"Index Scan (Backward )?using {index}", plan)
    assert "Sort" not in plan


def test_a_page_of_batches_asks_no_more_the_more_of_them_there_are(boss: Shopper) -> None:
    asked = []
    for count in (1, 9):
        made = ask_for_batches(count)
        BatchMember.objects.using(ALIAS).bulk_create(
            BatchMember(batch_id=batch_id, position=place, saga_id=uuid4(), state=state)
            for batch_id in made
            for place, state in enumerate(["waiting", "passed_over", "given_up"])
        )
        with CaptureQueriesContext(connections[ALIAS]) as queries:
            listed = boss.get(BATCHES).json()["results"]
        asked.append(len(queries))
        newest = [each["tally"] for each in listed if each["id"] in made]
        assert [(each["to_do"], each["passed_over"], each["failed"]) for each in newest] == [(1, 1, 1)] * count
    assert asked[0] == asked[1]
