"""Staff's resources, asked for in ways that nobody means well with."""

from uuid import UUID

import pytest

from orchestration.models import Batch, OperatorLogEntry
from orchestration.operators.actions.requests import LONGEST_TEXT
from tests.integration.admin.situations import Post, Situations
from tests.integration.api.conftest import EVERY_DATABASE, Shopper, pointers

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

BLANK = "\N{ZERO WIDTH SPACE}\N{NO-BREAK SPACE}\N{HANGUL FILLER}"


@pytest.fixture
def parked(db: None, monkeypatch: pytest.MonkeyPatch) -> UUID:
    monkeypatch.setattr("orchestration.engine.dispatch.send", Post().send)
    return Situations().parked_after_pivot()


@pytest.mark.parametrize("name", ["\0", "\ud800", "a\nb"])
def test_a_fact_by_an_illegible_name_is_refused_and_nothing_is_written(name: str, parked: UUID, boss: Shopper) -> None:
    said = {"action": "settle", "step": "capture_payment", "reason": "by hand", "evidence": "7"}
    body = {**said, "facts": {name: "x"}}
    answer = boss.post(f"/sagas/{parked}/actions", data=body, content_type="application/json")
    assert answer.status_code == 422
    assert not OperatorLogEntry.objects.exists()


@pytest.mark.parametrize("said", ["yes", "on", "true", "false", "", 1, 0, 1.0, None, [], {}])
def test_only_true_and_false_are_true_and_false(said: object, parked: UUID, boss: Shopper) -> None:
    action = {"action": "resume", "reason": "x"}
    code = "null" if said is None else "invalid"
    for path, body, named in (
        (f"/sagas/{parked}/actions", {**action, "dry_run": said}, "/dry_run"),
        ("/saga-batches", {**action, "sagas": {"status": ["parked"]}, "dry_run": said}, "/dry_run"),
        ("/saga-batches", {**action, "sagas": {"failing": said}}, "/sagas/failing"),
        ("/breakers/any/open", {"reason": "x", "seconds": 60, "dry_run": said}, "/dry_run"),
        ("/breakers/any/close", {"reason": "x", "dry_run": said}, "/dry_run"),
    ):
        answer = boss.post(path, data=body, content_type="application/json")
        assert (answer.status_code, pointers(answer)) == (422, [(named, code)])
    assert not OperatorLogEntry.objects.exists()
    assert not Batch.objects.exists()


@pytest.mark.parametrize("field", ["reason", "evidence"])
def test_what_nobody_can_see_is_no_word(field: str, parked: UUID, boss: Shopper) -> None:
    said = {"action": "settle", "step": "capture_payment", "reason": "by hand", "evidence": "7", field: BLANK}
    answer = boss.post(f"/sagas/{parked}/actions", data=said, content_type="application/json")
    assert (answer.status_code, pointers(answer)) == (422, [(f"/{field}", "blank")])
    assert not OperatorLogEntry.objects.exists()


def test_a_novel_is_no_reason(parked: UUID, boss: Shopper) -> None:
    said = {"action": "resume", "reason": "x" * (LONGEST_TEXT + 1)}
    answer = boss.post(f"/sagas/{parked}/actions", data=said, content_type="application/json")
    assert pointers(answer) == [("/reason", "max_length")]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("where", ["cursor={at}~{id}", "created_from={at}", "created_until={at}"])
def test_times_beyond_the_calendar_are_refused(where: str, at: str, parked: UUID, boss: Shopper) -> None:
    query = where.format(at=at.replace("+", "%2B"), id=parked)
    assert boss.get(f"/sagas?{query}").status_code == 400


@pytest.mark.parametrize("query", ["step=%00", "search=%00", "cursor=%00", "customer=%ed%a0%80", "limit=999999999999"])
def test_queries_that_no_database_knows_are_no_error_of_ours(query: str, boss: Shopper) -> None:
    assert boss.get(f"/sagas?{query}").status_code in (200, 400)
