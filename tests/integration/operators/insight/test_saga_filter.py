"""Which sagas are found, and that none of it reads the whole table."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db.models import QuerySet

from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight import counts
from orchestration.operators.insight.counts import count_of, estimate_of, preset_counts, presets
from orchestration.operators.insight.keyset import BadCursor, page_of
from orchestration.operators.insight.saga_filter import SagaFilter, matching
from orchestration.operators.insight.search import NEWEST_FIRST
from orchestration.operators.insight.status import SagaStatus, statuses_meant
from orchestration.protocol.events import Paused
from orchestration.protocol.states import Operation
from orchestration.sagas import definitions
from tests.integration.admin.situations import STEPS, Situations
from tests.integration.operators.insight.generated import generate_sagas
from tests.support.plans import by_indexes

pytestmark = pytest.mark.django_db(databases=[ALIAS])

HOUR = timedelta(hours=1)


def wanted(**asked: object) -> list[object]:
    return [saga.pk for saga in matching(SagaFilter(**asked), now=datetime.now(UTC))]  # type: ignore[arg-type]


def test_each_part_of_a_filter_narrows_it(situations: Situations) -> None:
    old = situations.running(age=HOUR)
    failing, often = situations.failing(), situations.failing(tries=3)
    refused = situations.compensating()

    assert wanted() == [refused, often, failing, old]
    assert wanted(statuses=frozenset({SagaStatus.RETRYING})) == [often, failing]
    assert wanted(statuses=frozenset({SagaStatus.RETRYING, SagaStatus.COMPENSATING})) == [refused, often, failing]
    assert wanted(steps=frozenset({"authorise_payment"})) == [refused, often, failing]
    assert wanted(errors=frozenset({"GatewayTimeout"})) == [often, failing]
    assert wanted(errors=frozenset({"cannot_deliver"})) == [refused]
    assert wanted(failed_tries_from=2) == [often]
    assert wanted(stuck_for=timedelta(minutes=30)) == [old]
    assert wanted(created_until=datetime.now(UTC) - HOUR / 2) == [old]
    assert wanted(created_from=datetime.now(UTC) - HOUR / 2) == [refused, often, failing]
    assert wanted(definitions=frozenset({"another"})) == []
    assert wanted(customer_id="customer-1", ids=frozenset({old, uuid4()})) == [old]


def test_a_compensation_that_is_held_up_is_still_being_undone(situations: Situations) -> None:
    barring, compensating = situations.barring(), situations.compensating()
    retried, paused = situations.compensating(), situations.compensating()
    situations.fail(retried, "authorise_payment", operation=Operation.COMPENSATION)
    situations.report(paused, Paused("ada", "the gateway is being moved"))
    situations.parked_compensation(), situations.failing(), situations.paused(), situations.compensated()

    assert wanted(undoing=True) == [paused, retried, compensating, barring]
    assert wanted(undoing=True, statuses=frozenset({SagaStatus.RETRYING})) == [retried]
    assert preset_counts(now=datetime.now(UTC))["compensating"].number == 4


def test_a_filter_survives_being_written_down() -> None:
    asked = SagaFilter(
        statuses=frozenset({SagaStatus.PARKED}),
        steps=frozenset({"authorise_payment"}),
        errors=frozenset({"GatewayTimeout"}),
        definitions=frozenset({"checkout.v2"}),
        undoing=True,
        failed_tries_from=2,
        stuck_for=timedelta(minutes=5),
        created_from=datetime(2026, 1, 1, tzinfo=UTC),
        created_until=datetime(2026, 1, 2, tzinfo=UTC),
        customer_id="7",
        ids=frozenset({uuid4()}),
    )
    assert SagaFilter.from_json(asked.as_json()) == asked
    assert SagaFilter.from_json({}) == SagaFilter()
    unmoved = SagaFilter(stuck_for=timedelta(0))
    assert SagaFilter.from_json(unmoved.as_json()) == unmoved
    assert asked.in_words() == (
        "parked, at authorise_payment, GatewayTimeout, checkout.v2, being undone, failed 2 times or more, "
        "not moved for 5 min, created from 2026-01-01 00:00:00.000, created before 2026-01-02 00:00:00.000, "
        "of customer 7, 1 by id"
    )
    assert SagaFilter().in_words() == "every saga"


@pytest.mark.parametrize(
    "kept",
    [
        *({"statuses": ["lost"]}, {"ids": ["x"]}, {"colour": "red"}, {"steps": "x"}, {"created_from": "2026-01-01"}),
        *({"failing": "no"}, {"undoing": 0}),
    ],
)
def test_what_is_no_filter_is_not_read_as_one(kept: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a filter of sagas"):
        SagaFilter.from_json(kept)


def test_pages_follow_each_other_and_miss_nobody(situations: Situations) -> None:
    at = datetime.now(UTC)
    ids = [situations.shop.place(now=at - HOUR * (number // 3)) for number in range(8)]
    everything, cursor, seen = matching(SagaFilter(), now=at), "", []
    for _ in range(4):
        page = page_of(everything, NEWEST_FIRST, after=cursor, size=2)
        seen += [saga.pk for saga in page.rows]
        cursor = page.next

    assert cursor == ""
    assert seen == [saga.pk for saga in everything]
    assert set(seen) == set(ids)


@pytest.mark.parametrize("cursor", ["x", "2026-01-01~x", "2026-01-01T00:00:00~01900000-0000-7000-8000-000000000000"])
def test_a_place_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        page_of(matching(SagaFilter(), now=datetime.now(UTC)), NEWEST_FIRST, after=cursor)


def test_counting_ends_where_nobody_needs_it_more_exactly(situations: Situations, monkeypatch) -> None:
    for _ in range(3):
        situations.running()
    monkeypatch.setattr(counts, "COUNTED_TO", 2)
    everything = matching(SagaFilter(), now=datetime.now(UTC))

    assert str(count_of(everything)) == "2+"
    assert str(count_of(everything.filter(phase="completed"))) == "0"
    assert estimate_of(everything).number >= 2


def filters(now: datetime) -> Iterator[tuple[str, SagaFilter]]:
    """Everything an operator can ask for, each part by itself and some together."""
    yield from presets(now=now).items()
    yield from ((status, SagaFilter(statuses=frozenset({status}))) for status in SagaStatus)
    yield from ((step, SagaFilter(steps=frozenset({step}))) for step in STEPS)
    yield "error", SagaFilter(errors=frozenset({"Gateway3"}))
    yield "tries", SagaFilter(failed_tries_from=50)
    yield "rare definition", SagaFilter(definitions=frozenset({"checkout.v0"}))
    yield "usual definition", SagaFilter(definitions=frozenset(definitions))
    yield "customer", SagaFilter(customer_id="customer-7")
    yield "created", SagaFilter(created_from=now - 2 * HOUR, created_until=now - HOUR)
    yield "ids", SagaFilter(ids=frozenset({uuid4(), uuid4()}))
    yield (
        "incident",
        SagaFilter(
            statuses=frozenset({SagaStatus.PARKED, SagaStatus.RETRYING}),
            steps=frozenset({"authorise_payment"}),
            errors=frozenset({"Gateway3"}),
            definitions=frozenset(definitions),
        ),
    )


def test_no_filter_and_no_count_reads_the_whole_table() -> None:
    generate_sagas(20_000)
    now = datetime.now(UTC)
    plans = {}
    for name, asked in filters(now):
        sagas = matching(asked, now=now)
        plans[f"page of {name}"] = sagas[:51].explain()
        plans[f"count of {name}"] = _counted(sagas).explain()
    plans["a page far behind"] = _behind(matching(SagaFilter(), now=now)).explain()

    read_whole = {name: plan for name, plan in plans.items() if "Seq Scan on orchestration_sagainstance" in plan}
    assert read_whole.keys() <= {  # of nearly all, which soon ends: how much of it is today's, the clock says
        *("count of completed", "count of usual definition", "count of today"),
    }
    assert {name: str(count) for name, count in preset_counts(now=now).items()} == {
        "parked": "100",
        "retrying": "200",
        "stuck": "588",
        "compensating": "200",
        "today": str(preset_counts(now=now)["today"]),
    }


def test_the_unfinished_are_read_from_their_index_and_looked_at_no_further() -> None:
    generate_sagas(20_000)
    sagas = matching(SagaFilter(statuses=statuses_meant(["unfinished"])), now=datetime.now(UTC))
    assert sagas.count() == 600
    with by_indexes(ALIAS):
        plans = [sagas[:51].explain(), _counted(sagas).explain()]
    assert all("saga_unfinished" in plan and "Filter" not in plan for plan in plans), plans


def _counted(sagas: QuerySet[SagaInstance]) -> QuerySet[SagaInstance]:
    return sagas.order_by()[: counts.COUNTED_TO + 1]


def _behind(sagas: QuerySet[SagaInstance]) -> QuerySet[SagaInstance]:
    last = sagas[15_000]
    return sagas.filter(NEWEST_FIRST.behind(NEWEST_FIRST.cursor_of(last)))[:51]
