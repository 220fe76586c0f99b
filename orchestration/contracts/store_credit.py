"""Requests to payments about store credit. Spending is an escrow. A transfer takes the locks of both wallets."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from orchestration.contracts.command import Action, Compensation, Lock, Query

_WALLETS = UUID("a9f0d9e2-3c1d-4a55-9a0e-6f2f4f6f8f10")
FROM_WALLET = Lock("wallet", by="from_wallet")
TO_WALLET = Lock("wallet", by="to_wallet")


def wallet_id(customer_id: str, currency: str) -> UUID:
    """Return the id of the customer's wallet in this currency, whether it exists yet or not."""
    return uuid5(_WALLETS, f"{currency}/{customer_id}")


@dataclass(frozen=True)
class SpendCredit:
    """Pay `credit_minor` of an order from the customer's wallet."""

    saga_id: UUID
    order_id: UUID
    customer_id: str
    credit_minor: int
    currency: str


@dataclass(frozen=True)
class ReturnCredit:
    saga_id: UUID
    order_id: UUID


spend_credit = Action("payments.spend_credit", request=SpendCredit)
return_credit = Compensation("payments.return_credit", request=ReturnCredit, undoes=spend_credit)

credit_of = Query("payments.credit_of")
"""(customer id) -> dict of currency to the minor units in the customer's wallet."""


@dataclass(frozen=True)
class TransferRequested:
    """Move `amount_minor` from one customer's wallet to another's. `requested_by` is the user name of staff."""

    from_wallet: UUID
    to_wallet: UUID
    to_customer: str
    amount_minor: int
    currency: str
    requested_by: str
    reason: str

    @classmethod
    def between(
        cls, from_customer: str, to_customer: str, amount_minor: int, currency: str, *, requested_by: str, reason: str
    ) -> "TransferRequested":
        """Return the request of a transfer between the wallets of these customers."""
        wallets = wallet_id(from_customer, currency), wallet_id(to_customer, currency)
        return cls(*wallets, to_customer, amount_minor, currency, requested_by, reason)


@dataclass(frozen=True)
class DebitWallet:
    saga_id: UUID
    from_wallet: UUID
    to_wallet: UUID
    amount_minor: int
    reason: str
    requested_by: str


@dataclass(frozen=True)
class ReturnDebit:
    saga_id: UUID
    from_wallet: UUID
    amount_minor: int


@dataclass(frozen=True)
class CreditWallet:
    """Count the amount as incoming in the other wallet. It cannot be spent before `receive_credit`."""

    saga_id: UUID
    to_wallet: UUID
    to_customer: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class DropCredit:
    saga_id: UUID
    to_wallet: UUID
    amount_minor: int


@dataclass(frozen=True)
class ApproveTransfer:
    saga_id: UUID


@dataclass(frozen=True)
class ReceiveCredit:
    saga_id: UUID
    to_wallet: UUID
    amount_minor: int
    reason: str
    requested_by: str


@dataclass(frozen=True)
class CloseTransfer:
    saga_id: UUID
    from_wallet: UUID


debit_wallet = Action("payments.debit_wallet", request=DebitWallet, holds=FROM_WALLET)
return_debit = Compensation("payments.return_debit", request=ReturnDebit, undoes=debit_wallet)
credit_wallet = Action("payments.credit_wallet", request=CreditWallet, holds=TO_WALLET)
drop_credit = Compensation("payments.drop_credit", request=DropCredit, undoes=credit_wallet)
approve_transfer = Action("payments.approve_transfer", request=ApproveTransfer)
receive_credit = Action("payments.receive_credit", request=ReceiveCredit, releases=TO_WALLET)
close_transfer = Action("payments.close_transfer", request=CloseTransfer, releases=FROM_WALLET)
