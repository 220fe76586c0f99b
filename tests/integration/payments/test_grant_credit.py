"""`manage.py grant_credit` grants store credit once for each id, as an account that may."""

from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from orchestration.contracts.values import LARGEST_AMOUNT_MINOR
from orchestration.management.exit_codes import Exit
from payments.models import WalletMovement
from tests.support.accounts import open_terminal, staff
from tests.support.wallets import granted

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration", "payments"])

WHY = ("--as", "kim", "--reason", "a gift")


@pytest.fixture
def kim(monkeypatch: pytest.MonkeyPatch) -> None:
    open_terminal(monkeypatch)
    staff("kim", "grant_credit")


@pytest.mark.usefixtures("kim")
def test_credit_is_granted_once_for_each_id() -> None:
    asked = ("grant_credit", "7", "500", "GBP", *WHY, "--id", str(uuid4()))
    for _ in range(2):
        out = StringIO()
        call_command(*asked, stdout=out)
        assert out.getvalue().startswith("customer 7 has 500 GBP of store credit")
    assert WalletMovement.objects.values_list("by", "reason").get() == ("kim", "a gift")


@pytest.mark.parametrize(
    ("amount", "currency"), [("0", "GBP"), ("-1", "GBP"), ("1.5", "GBP"), ("1", "gbp"), ("1", "£")]
)
def test_what_is_no_amount_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(CommandError, match="is not"):
        call_command("grant_credit", "7", *WHY, "--", amount, currency)


@pytest.mark.parametrize("permissions", [(), ("transfer_credit",)])
def test_account_without_the_permission_grants_nothing(
    monkeypatch: pytest.MonkeyPatch, permissions: tuple[str, ...]
) -> None:
    open_terminal(monkeypatch)
    staff("kim", *permissions)
    with pytest.raises(CommandError, match="nothing was changed: kim may not do this") as refusal:
        call_command("grant_credit", "7", "500", "GBP", *WHY)
    assert refusal.value.returncode == Exit.REFUSED
    assert not WalletMovement.objects.exists()


@pytest.mark.usefixtures("kim")
def test_wrong_password_grants_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    open_terminal(monkeypatch, password="guessed")
    with pytest.raises(CommandError, match="no such account, or not its password") as refusal:
        call_command("grant_credit", "7", "500", "GBP", *WHY)
    assert refusal.value.returncode == Exit.REFUSED
    assert not WalletMovement.objects.exists()


@pytest.mark.usefixtures("kim")
def test_full_wallet_is_refused() -> None:
    granted("7", LARGEST_AMOUNT_MINOR)
    with pytest.raises(CommandError, match="more than") as refusal:
        call_command("grant_credit", "7", "1", "GBP", *WHY)
    assert refusal.value.returncode == Exit.REFUSED
