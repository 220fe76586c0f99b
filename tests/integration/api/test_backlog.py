"""Beyond a configured backlog new orders are sent away for a while, and accepted ones are still known."""

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from orchestration.engine import admission
from orchestration.models import SagaInstance
from tests.integration.api.conftest import EVERY_DATABASE
from tests.support.plans import by_indexes

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)


@pytest.fixture
def place(catalogue, ada, two_mugs):
    """Order two mugs under a key."""
    return lambda key: ada.check_out(two_mugs, key)


@pytest.fixture(autouse=True)
def looks_again():
    admission.look_again()
    yield
    admission.look_again()


def test_without_a_limit_everything_is_accepted(place):
    assert [place(key=str(number)).status_code for number in range(3)] == [202, 202, 202]


def test_beyond_the_limit_a_new_order_is_sent_away(place, settings):
    settings.BACKLOG_LIMIT = 2
    place(key="1"), place(key="2")
    admission.look_again()

    refused = place(key="3")

    assert refused.status_code == 503
    assert refused["Retry-After"] == "10"
    assert refused.json()["code"] == "too_busy"
    assert SagaInstance.objects.count() == 2


def test_what_was_accepted_is_still_answered(place, settings):
    settings.BACKLOG_LIMIT = 1
    first = place(key="1")
    admission.look_again()

    assert place(key="1").json() == first.json()


def test_an_order_sent_away_is_accepted_when_there_is_room(place, settings):
    settings.BACKLOG_LIMIT = 1
    place(key="1")
    admission.look_again()
    assert place(key="2").status_code == 503
    SagaInstance.objects.update(phase="compensated", ended_at="2026-01-01T00:00:00Z", due_at=None)
    admission.look_again()

    assert place(key="2").status_code == 202


def test_it_is_not_counted_for_every_order(place, settings):
    settings.BACKLOG_LIMIT = 100
    with CaptureQueriesContext(connections["orchestration"]) as asked:
        place(key="1"), place(key="2"), place(key="3")

    assert sum("COUNT(*)" in query["sql"] for query in asked) == 1


def test_the_count_ends_at_the_limit_and_needs_only_the_index_of_what_is_unfinished(settings):
    settings.BACKLOG_LIMIT = 7
    with CaptureQueriesContext(connections["orchestration"]) as asked:
        admission.is_full()

    [statement] = [query["sql"] for query in asked if "COUNT(*)" in query["sql"]]
    assert "LIMIT 7" in statement
    with by_indexes("orchestration") as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        assert "saga_unfinished" in "\n".join(line for (line,) in cursor.fetchall())
