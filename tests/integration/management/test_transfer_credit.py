"""`manage.py transfer_credit` starts a transfer once for each key."""

from io import StringIO
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from orchestration.contracts.store_credit import wallet_id
from orchestration.management.exit_codes import Exit
from orchestration.models import SagaInstance
from tests.integration.admin.situations import Post
from tests.support.accounts import open_terminal, staff

pytestmark = pytest.mark.django_db(databases=["orchestration"])

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
