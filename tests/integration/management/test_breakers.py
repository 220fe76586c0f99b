"""`manage.py breakers`: they are listed, opened for a while and closed, with a reason."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError

from orchestration.models import MachineryLogEntry
from orchestration.participant import breaker_registry
from tests.integration.management.conftest import Ends, Run

pytestmark = pytest.mark.django_db(databases=["orchestration"])

WHY = ("--reason", "the gateway is being changed", "--yes")


@pytest.fixture
def gateway() -> Iterator[str]:
    """The name of the gateway's breaker, closed before and after."""
    [name] = [name for name in breaker_registry.in_use() if name.endswith("gateway")]
    breaker_registry.in_use()[name].close()
    yield name
    breaker_registry.in_use()[name].close()


def test_every_breaker_is_listed_with_its_state(run: Run, gateway: str) -> None:
    listed = {each["name"]: each["state"] for each in run("breakers", "list")}
    assert listed[gateway] == "closed"
    assert set(listed) == set(breaker_registry.in_use())


def test_it_is_opened_for_a_while_and_closed(run: Run, gateway: str) -> None:
    [opened] = run("breakers", "open", gateway, "--for", "10m", *WHY, "--by", "ada")
    assert opened["state"] == "open"
    assert opened["next_probe"]
    entry = MachineryLogEntry.objects.get()
    assert (entry.action, entry.subject, entry.by, entry.user_id, entry.via, entry.reason, entry.outcome) == (
        *("open_breaker", gateway, "ada", None, "command", "the gateway is being changed", "done"),
    )
    [closed] = run("breakers", "close", gateway, *WHY)
    assert (closed["state"], closed["next_probe"]) == ("closed", None)


def test_a_dry_run_opens_nothing(run: Run, gateway: str) -> None:
    [shown] = run("breakers", "open", gateway, "--for", "10m", *WHY, "--dry-run")
    assert shown["state"] == "closed"
    assert not MachineryLogEntry.objects.exists()


def test_a_breaker_that_is_not_there_is_code_3(ends: Ends) -> None:
    assert ends("breakers", "close", "no.such", *WHY) == 3


def test_without_a_yes_or_a_terminal_nothing_is_opened(ends: Ends, gateway: str) -> None:
    assert ends("breakers", "open", gateway, "--for", "10m", "--reason", "x") == 2
    assert breaker_registry.in_use()[gateway].state() == "closed"


def test_without_redis_nothing_is_said_to_be_done(ends: Ends, gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as Away

    def away(*_: object, **__: object) -> None:
        raise Away("refused")

    monkeypatch.setattr(breaker_registry.in_use()[gateway]._record.keys, "force_open", away)
    assert ends("breakers", "open", gateway, "--for", "10m", *WHY) == 1
    assert MachineryLogEntry.objects.get().outcome == "unknown"


def test_what_cannot_be_written_down_is_not_done(ends: Ends, gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("refused")

    monkeypatch.setattr(MachineryLogEntry, "save", away)
    assert ends("breakers", "open", gateway, "--for", "10m", *WHY) == 1
    assert breaker_registry.in_use()[gateway].look_closely().open_until is None
