"""`manage.py transfer_credit` starts a transfer once for each key."""

from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from config import env
from orchestration.contracts.store_credit import wallet_id
from orchestration.engine import engine, store
from orchestration.management.exit_codes import Exit
from orchestration.models import SagaInstance
from orchestration.protocol.events import ChainCompleted, Event, PivotBarred, StepRefused, StepsUndone
from orchestration.sagas.transfer_credit import transfer_credit
from tests.integration.admin.situations import Post
from tests.support.accounts import open_terminal, staff
from tests.support.deadlock import give_up

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

NOT_ENOUGH = StepRefused("debit_wallet", {"code": "insufficient", "detail": "The store credit is not enough."}, ())
UNDONE = StepsUndone(tuple((step, datetime.now(UTC)) for step in ("debit_wallet", "credit_wallet")))
WHY = ("--as", "kim", "--reason", "one account")


@pytest.fixture(autouse=True)
def kim(monkeypatch: pytest.MonkeyPatch) -> User:
    """The account that transfers, at a terminal."""
    open_terminal(monkeypatch)
    return staff("kim", "transfer_credit")


def transferred(*more: str, amount: str = "500") -> UUID:
    out = StringIO()
    call_command("transfer_credit", "7", "8", amount, "GBP", *WHY, *more, stdout=out)
    return UUID(out.getvalue().strip())


def completed() -> ChainCompleted:
    return ChainCompleted(tuple((step.name, datetime.now(UTC)) for step in transfer_credit.steps))


def report(saga_id: UUID, *events: Event) -> None:
    for event in events:
        engine.apply(saga_id, event, now=datetime.now(UTC))


def test_transfer_is_a_saga_between_both_wallets(post: Post) -> None:
    saga = SagaInstance.objects.get(pk=transferred())
    assert (saga.definition, saga.phase) == ("transfer_credit.v1", "running")
    assert saga.request["from_wallet"] == str(wallet_id("7", "GBP"))
    assert saga.request["to_wallet"] == str(wallet_id("8", "GBP"))
    assert (saga.request["requested_by"], saga.request["reason"]) == ("kim", "one account")


def test_same_key_is_the_same_transfer(post: Post) -> None:
    assert transferred("--key", "a") == transferred("--key", "a") != transferred("--key", "b")
    with pytest.raises(CommandError, match="another transfer"):
        transferred("--key", "a", amount="1")


def test_customer_transfers_nothing_to_themselves() -> None:
    with pytest.raises(CommandError, match="the same customer"):
        call_command("transfer_credit", "7", "7", "1", "GBP", *WHY)


def test_account_without_the_permission_transfers_nothing(kim: User) -> None:
    kim.user_permissions.clear()
    with pytest.raises(CommandError, match="nothing was changed: kim may not do this") as refusal:
        transferred()
    assert refusal.value.returncode == Exit.REFUSED
    assert not SagaInstance.objects.exists()


def test_waiting_ends_with_the_transfer(post: Post) -> None:
    saga_id = transferred("--key", "a")
    report(saga_id, completed())
    assert transferred("--key", "a", "--wait", "1") == saga_id


def test_transfer_that_is_undone_is_code_4(post: Post) -> None:
    report(transferred("--key", "a"), NOT_ENOUGH, UNDONE)
    with pytest.raises(CommandError, match=r"was undone\. The store credit is not enough") as failure:
        transferred("--key", "a", "--wait", "1")
    assert failure.value.returncode == Exit.SOME_FAILED


def test_transfer_that_has_not_ended_in_time_is_code_6(post: Post) -> None:
    with pytest.raises(CommandError, match="has not ended within 1 s") as failure:
        transferred("--wait", "1")
    assert failure.value.returncode == Exit.TIMED_OUT


def test_waiting_goes_on_with_the_saga_that_retries_a_victim_of_a_deadlock(post: Post) -> None:
    saga_id = transferred("--key", "a")
    give_up(saga_id)
    report(saga_id, PivotBarred(), UNDONE)
    with pytest.raises(CommandError, match="has not ended within 1 s"):
        transferred("--key", "a", "--wait", "1")
    report(store.find_successors([saga_id])[saga_id].pk, completed())
    assert transferred("--key", "a", "--wait", "1") == saga_id
