"""Store credit: grants, what orders spend, and transfers between wallets.

Credit is an escrow: a balance shrinks only while enough is left, and sagas never wait for each other to spend it. A
transfer takes the locks of both wallets, so that a wallet takes part in one transfer at a time.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from orchestration.contracts import store_credit
from orchestration.contracts.store_credit import (
    ApproveTransfer,
    CloseTransfer,
    CreditWallet,
    DebitWallet,
    DropCredit,
    ReceiveCredit,
    ReturnCredit,
    ReturnDebit,
    SpendCredit,
    wallet_id,
)
from orchestration.contracts.values import LARGEST_AMOUNT_MINOR
from orchestration.participant.refusals import Refusal
from payments.models import CreditPayment, Wallet, WalletMovement

Kind = WalletMovement.Kind
GRANT = "grant"
"""The step of movements that no saga made."""


class CreditInsufficient(Refusal):
    """The store credit is not enough."""

    code = "insufficient"


class WalletFull(Refusal):
    """The wallet would hold more than 9007199254740991 minor units."""

    code = "wallet_full"


class SameWallet(Refusal):
    """Both wallets are the same."""

    code = "same_wallet"


def grant_credit(
    *, grant_id: UUID, customer_id: str, currency: str, amount_minor: int, by: str, reason: str
) -> WalletMovement:
    """Grant the customer store credit, in minor units of the currency. The same grant again changes nothing.

    :raises WalletFull: when it would be more than a wallet can hold.
    """
    with transaction.atomic(using="payments"):
        wallet = ensure_wallet(customer_id, currency)
        movement, created = WalletMovement.objects.get_or_create(
            saga_id=grant_id,
            step=GRANT,
            kind=Kind.GRANTED,
            defaults={"wallet_id": wallet, "amount_minor": amount_minor, "by": by, "reason": reason},
        )
        if created:
            _add(wallet, amount_minor)
    return movement


def spend_credit(request: SpendCredit) -> None:
    """Spend credit of the customer's wallet on the order.

    :raises CreditInsufficient: when less is left.
    """
    wallet = wallet_id(request.customer_id, request.currency)
    _pay(
        wallet,
        request.credit_minor,
        WalletMovement(saga_id=request.saga_id, step=store_credit.spend_credit.step, kind=Kind.SPENT),
    )
    CreditPayment.objects.create(
        saga_id=request.saga_id, order_id=request.order_id, wallet_id=wallet, amount_minor=request.credit_minor
    )


def return_credit(request: ReturnCredit) -> None:
    """Return what the saga has spent. Do nothing if it has spent none, or it was returned before."""
    spent = CreditPayment.objects.select_for_update().filter(saga_id=request.saga_id, state=CreditPayment.State.SPENT)
    for payment in spent:
        spent.update(state=CreditPayment.State.RETURNED, changed_at=Now())
        movement = WalletMovement(saga_id=request.saga_id, step=store_credit.spend_credit.step, kind=Kind.RETURNED)
        receive(payment.wallet_id, payment.amount_minor, movement)


def debit_wallet(request: DebitWallet) -> None:
    """Take the amount of a transfer from the wallet, whose lock the saga holds.

    :raises Refusal: `CreditInsufficient`, or `SameWallet`.
    """
    if request.from_wallet == request.to_wallet:
        raise SameWallet
    movement = WalletMovement(
        saga_id=request.saga_id,
        step=store_credit.debit_wallet.step,
        kind=Kind.TRANSFERRED_OUT,
        by=request.requested_by,
        reason=request.reason,
    )
    _pay(request.from_wallet, request.amount_minor, movement)


def return_debit(request: ReturnDebit) -> None:
    """Return the amount of a transfer that is undone."""
    movement = WalletMovement(saga_id=request.saga_id, step=store_credit.debit_wallet.step, kind=Kind.RETURNED)
    receive(request.from_wallet, request.amount_minor, movement)


def credit_wallet(request: CreditWallet) -> None:
    """Count the amount of a transfer as incoming in the wallet, whose lock the saga holds.

    :raises WalletFull: when it would be more than a wallet can hold.
    """
    ensure_wallet(request.to_customer, request.currency)
    room = _with_room(request.to_wallet, request.amount_minor)
    if not room.update(incoming_minor=F("incoming_minor") + request.amount_minor, changed_at=Now()):
        raise WalletFull


def drop_credit(request: DropCredit) -> None:
    """Count the amount of a transfer as incoming no longer."""
    wallet = Wallet.objects.filter(id=request.to_wallet)
    wallet.update(incoming_minor=F("incoming_minor") - request.amount_minor, changed_at=Now())


def approve_transfer(request: ApproveTransfer) -> None:
    """Decide that the amount moves: the ledger row is the decision."""


def receive_credit(request: ReceiveCredit) -> None:
    """Move the incoming amount to the balance. The kit releases the lock."""
    movement = WalletMovement(
        saga_id=request.saga_id,
        step=store_credit.receive_credit.step,
        kind=Kind.TRANSFERRED_IN,
        by=request.requested_by,
        reason=request.reason,
    )
    drop_credit(DropCredit(request.saga_id, request.to_wallet, request.amount_minor))
    receive(request.to_wallet, request.amount_minor, movement)


def close_transfer(request: CloseTransfer) -> None:
    """Do nothing: the kit releases the lock."""


def credit_of(customer_id: str) -> dict[str, int]:
    """Return what the customer can spend now: currency to minor units, without empty wallets."""
    wallets = Wallet.objects.filter(customer_id=customer_id, balance_minor__gt=0).order_by("currency")
    return dict(wallets.values_list("currency", "balance_minor"))


def ensure_wallet(customer_id: str, currency: str) -> UUID:
    """Create the customer's wallet in this currency unless it exists. Return its id."""
    wallet = Wallet(id=wallet_id(customer_id, currency), customer_id=customer_id, currency=currency)
    Wallet.objects.bulk_create([wallet], ignore_conflicts=True)
    return wallet.id


def receive(wallet: UUID, amount_minor: int, movement: WalletMovement) -> None:
    """Add the amount to the wallet, and record the movement."""
    _record(wallet, amount_minor, movement)
    _add(wallet, amount_minor)


def _add(wallet: UUID, amount_minor: int) -> None:
    room = _with_room(wallet, amount_minor)
    if not room.update(balance_minor=F("balance_minor") + amount_minor, changed_at=Now()):
        raise WalletFull


def _with_room(wallet: UUID, amount_minor: int) -> QuerySet[Wallet]:
    most = LARGEST_AMOUNT_MINOR - amount_minor - F("incoming_minor")
    return Wallet.objects.filter(id=wallet, balance_minor__lte=most)


def _pay(wallet: UUID, amount_minor: int, movement: WalletMovement) -> None:
    enough = Wallet.objects.filter(id=wallet, balance_minor__gte=amount_minor)
    if not enough.update(balance_minor=F("balance_minor") - amount_minor, changed_at=Now()):
        raise CreditInsufficient
    _record(wallet, -amount_minor, movement)


def _record(wallet: UUID, amount_minor: int, movement: WalletMovement) -> None:
    movement.wallet_id, movement.amount_minor = wallet, amount_minor
    movement.save(force_insert=True)
