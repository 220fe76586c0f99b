"""Store credit, and requests to spend and transfer it."""

from typing import Any
from uuid import uuid4

from orchestration.contracts.store_credit import SpendCredit, TransferRequested
from payments.models import Wallet, WalletMovement
from payments.wallets import grant_credit


def granted(customer_id: str, amount_minor: int, currency: str = "GBP") -> None:
    """Grant the customer store credit."""
    asked: dict[str, Any] = {"customer_id": customer_id, "currency": currency, "amount_minor": amount_minor}
    grant_credit(grant_id=uuid4(), by="kim", reason="a gift", **asked)


def spending(customer_id: str, credit_minor: int) -> SpendCredit:
    """Return a request to spend so much."""
    return SpendCredit(uuid4(), uuid4(), customer_id, credit_minor, "GBP")


def transfer(from_customer: str, to_customer: str, amount_minor: int) -> TransferRequested:
    """Return a request to transfer so much."""
    return TransferRequested.between(
        from_customer, to_customer, amount_minor, "GBP", requested_by="kim", reason="one account"
    )


def balances() -> dict[str, int]:
    """Return the balance of each customer."""
    return dict(Wallet.objects.order_by("customer_id").values_list("customer_id", "balance_minor"))


def movements() -> list[tuple[str, int]]:
    """Return kind and amount of each movement, the oldest first."""
    return list(WalletMovement.objects.order_by("id").values_list("kind", "amount_minor"))
