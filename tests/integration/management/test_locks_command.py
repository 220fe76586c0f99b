"""`manage.py locks`: they are listed and shown, and two people with accounts break one."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from config import env
from orchestration.models import ALIAS, LockBreak, SagaInstance
from orchestration.sagas import definitions
from payments.models import Hold
from tests.integration.management.conftest import Ends, Run
from tests.support.accounts import open_terminal, staff
from tests.support.held_locks import RESOURCE, held, started, waits
from tests.support.two_locks import exchange

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

WHY = ("--reason", "its saga cannot be made to end", "--evidence", "ticket 7", "--yes")


@pytest.fixture
def holder(monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A saga that holds the lock."""
    monkeypatch.setitem(definitions, exchange.name, exchange)
    monkeypatch.setattr("orchestration.engine.dispatch.send", lambda instance, command: None)
    saga_id = started()
    held(saga_id)
    return saga_id


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, str]]:
    """Make a staff account with the permission, at a terminal at which its password is typed."""
    open_terminal(monkeypatch)

    def account(name: str, *permissions: str) -> tuple[str, str]:
        staff(name, *(permissions or ("break_lock",)))
        return "--as", name

    return account


def test_locks_are_listed_and_shown(run: Run, holder: UUID) -> None:
    waiter = started()
    waits(waiter, holder)
    [listed] = run("locks", "list")
    assert (listed["resource"], listed["saga_id"], listed["step"], listed["status"]) == (
        *(RESOURCE, str(holder), "take_first", "running"),
    )
    shown = run("locks", "show", RESOURCE)
    assert [turn["saga_id"] for turn in shown["turns"]] == [str(waiter)]


def test_what_the_holder_does_now_is_listed_beside_the_step_that_took_the_lock(run: Run, holder: UUID) -> None:
    SagaInstance.objects.using(ALIAS).update(failing_step="take_second", last_error="GatewayTimeout")
    [listed] = run("locks", "list")
    assert (listed["step"], listed["current_step"], listed["last_error"]) == (
        *("take_first", "take_second", "GatewayTimeout"),
    )


def test_the_permission_that_an_account_lacks_is_named(holder: UUID, account) -> None:
    with pytest.raises(CommandError, match=r"ada may not do this: it needs the permission orchestration\.break_lock$"):
        call_command("locks", "break", RESOURCE, *account("ada", "view_sagainstance"), *WHY)


@pytest.mark.parametrize("command", ["show", "break", "approve"])
def test_a_lock_that_no_saga_holds_is_code_3(ends: Ends, account, command: str) -> None:
    options = {"show": (), "break": (*account("ada"), *WHY), "approve": (*account("bob"), "--yes")}[command]
    assert ends("locks", command, "wallet:none", *options) == 3


def test_an_empty_list_is_code_3(ends: Ends) -> None:
    assert ends("locks", "list") == 3


def test_two_people_break_it(run: Run, holder: UUID, account) -> None:
    asked = run("locks", "break", RESOURCE, *WHY, *account("ada"))
    assert (asked["asked_by"], asked["approved_by"], asked["saga_id"]) == ("ada", None, str(holder))
    assert Hold.objects.exists()
    broken = run("locks", "approve", RESOURCE, "--yes", *account("bob"))
    assert broken["approved_by"] == "bob"
    assert not Hold.objects.exists()


def test_one_person_alone_breaks_nothing(run: Run, ends: Ends, holder: UUID, account) -> None:
    ada = account("ada")
    run("locks", "break", RESOURCE, *WHY, *ada)
    assert ends("locks", "approve", RESOURCE, "--yes", *ada) == 5
    assert Hold.objects.exists()


def test_without_a_request_there_is_nothing_to_approve(ends: Ends, holder: UUID, account) -> None:
    assert ends("locks", "approve", RESOURCE, "--yes", *account("bob")) == 5


def test_an_account_without_the_permission_may_not_ask(ends: Ends, holder: UUID, account) -> None:
    assert ends("locks", "break", RESOURCE, *WHY, *account("ada", "view_sagainstance")) == 5
    assert not LockBreak.objects.exists()


def test_a_dry_run_asks_for_nothing(run: Run, holder: UUID, account) -> None:
    run("locks", "break", RESOURCE, *WHY, "--dry-run", *account("ada"))
    assert not LockBreak.objects.exists()
