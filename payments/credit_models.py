"""Tables of store credit: wallets, their movements, and what orders were paid from them."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.contracts.values import LARGEST_AMOUNT_MINOR


class Wallet(models.Model):
    """The store credit of one customer in one currency. Its id follows from both (`store_credit.wallet_id`)."""

    id = models.UUIDField(primary_key=True)
    customer_id = models.TextField()
    currency = models.CharField(max_length=3, help_text="ISO 4217 code.")
    balance_minor = models.BigIntegerField(
        db_default=0, help_text="What can be spent now, in minor units of the currency."
    )
    incoming_minor = models.BigIntegerField(
        db_default=0, help_text="Announced by transfers that are under way. It cannot be spent yet."
    )
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        permissions = (("grant_credit", "Can grant store credit"), ("transfer_credit", "Can transfer store credit"))
        constraints = (
            models.UniqueConstraint(fields=("customer_id", "currency"), name="wallet_one_per_customer_and_currency"),
            models.CheckConstraint(condition=Q(currency__regex="^[A-Z]{3}$"), name="wallet_currency_is_iso_4217"),
            models.CheckConstraint(condition=Q(balance_minor__gte=0), name="wallet_not_overdrawn"),
            models.CheckConstraint(condition=Q(incoming_minor__gte=0), name="wallet_incoming_not_negative"),
            models.CheckConstraint(
                condition=Q(balance_minor__lte=LARGEST_AMOUNT_MINOR - F("incoming_minor")), name="wallet_exact_in_json"
            ),
        )

    def __str__(self) -> str:
        return f"store credit of customer {self.customer_id} in {self.currency}"


class WalletMovement(models.Model):
    """A change of a wallet's balance. Rows are only added. Their sum is the balance."""

    class Kind(models.TextChoices):
        GRANTED = "granted"
        SPENT = "spent"
        RETURNED = "returned"
        """What a saga had spent or debited, because it is undone."""
        REFUNDED = "refunded"
        TRANSFERRED_OUT = "transferred_out"
        TRANSFERRED_IN = "transferred_in"

    id = models.BigAutoField(primary_key=True)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="movements")
    kind = models.TextField(choices=Kind.choices)
    amount_minor = models.BigIntegerField(help_text="Negative when the wallet pays, in minor units of the currency.")
    saga_id = models.UUIDField(help_text="The saga that moved it; of a grant, the id of the grant.")
    step = models.TextField()
    checkout_id = models.UUIDField(null=True, help_text="The checkout whose order a refund gives back.")
    by = models.TextField(blank=True, default="", help_text="The member of staff who asked for it.")
    reason = models.TextField(blank=True, default="")
    moved_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("saga_id", "step", "kind"), name="wallet_moved_once_per_step"),
            models.CheckConstraint(
                condition=Q(kind__in=("spent", "transferred_out"), amount_minor__lt=0)
                | Q(kind__in=("granted", "returned", "refunded", "transferred_in"), amount_minor__gt=0),
                name="wallet_movement_has_the_sign_of_its_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor} by saga {self.saga_id}"


class CreditPayment(models.Model):
    """The part of an order that was paid from a wallet."""

    class State(models.TextChoices):
        SPENT = "spent"
        RETURNED = "returned"
        """The checkout was undone."""

    saga_id = models.UUIDField(primary_key=True)
    order_id = models.UUIDField()
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField(help_text="In minor units of the wallet's currency.")
    refunded_minor = models.BigIntegerField(
        db_default=0, help_text="Given back to the wallet for changes of the order."
    )
    state = models.TextField(choices=State.choices, default=State.SPENT)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-saga_id",)
        constraints = (
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="credit_payment_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=("spent", "returned")), name="credit_payment_state_is_known"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="credit_payment_not_over_refunded",
            ),
            models.CheckConstraint(
                condition=Q(state="spent") | Q(refunded_minor=0), name="credit_payment_returned_or_refunded"
            ),
        )

    def __str__(self) -> str:
        return f"store credit for order {self.order_id}: {self.state}"
