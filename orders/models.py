"""Tables of the orders service: products, orders, and the changes of placed orders."""

from datetime import datetime

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.contracts.order_changes import ChangeKind
from orchestration.contracts.values import LARGEST_AMOUNT_MINOR, nfc
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.lock_tables import GuardRow, HoldRow, TurnRow
from orders.coupon_models import Coupon, CouponUse

__all__ = ("Coupon", "CouponUse")  # Django finds models here

LARGEST_QUANTITY = 9_999


class Product(models.Model):
    """One product. Its price is the only one that a checkout accepts."""

    sku = models.CharField(primary_key=True, max_length=64, verbose_name="SKU")
    name = models.TextField()
    price_minor = models.BigIntegerField(
        help_text="Price of one unit in minor units of the currency.",
        validators=[MaxValueValidator(LARGEST_AMOUNT_MINOR)],
    )
    currency = models.CharField(max_length=3, help_text="ISO 4217 code.")
    active = models.BooleanField(default=True, help_text="Only active products can be bought.")
    ships = models.BooleanField(default=True, db_default=True, help_text="Whether it is sent in a parcel.")

    class Meta:
        ordering = ("sku",)
        constraints = (
            models.CheckConstraint(condition=~Q(sku=""), name="product_sku_is_not_empty"),
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="product_price_not_negative"),
            models.CheckConstraint(
                condition=Q(price_minor__lte=LARGEST_AMOUNT_MINOR), name="product_price_exact_in_json"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="product_currency_is_iso_4217"),
        )

    def __str__(self) -> str:
        return self.sku

    def clean(self) -> None:
        self.sku = nfc(self.sku)


class Order(models.Model):
    """One order. It is written at the pivot, confirmed. Later only changes of the order alter it."""

    class Status(models.TextChoices):
        CONFIRMED = "confirmed"
        PARTLY_DISPATCHED = "partly_dispatched"
        DISPATCHED = "dispatched"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True)
    saga_id = models.UUIDField(unique=True)
    customer_id = models.TextField()
    idempotency_key = models.TextField()
    status = models.TextField(choices=Status.choices)
    total_minor = models.BigIntegerField(
        help_text="What was to be paid, in minor units of the currency: the lines less the discount."
    )
    discount_minor = models.BigIntegerField(default=0, help_text="What the coupon took off the lines.")
    credit_minor = models.BigIntegerField(default=0, help_text="The part of the total that store credit paid.")
    coupon = models.TextField(blank=True, default="")
    currency = models.CharField(max_length=3, help_text="ISO 4217 code.")
    shipping_address = models.JSONField(null=True, blank=True)
    authorisation_id = models.TextField(blank=True, help_text="Empty when nothing was paid by card.")
    tracking_number = models.TextField(blank=True, help_text="Empty when nothing was shipped.")
    placed_at = models.DateTimeField(help_text="When the customer asked for it.")
    confirmed_at = models.DateTimeField(db_default=Now())
    refunded_minor = models.BigIntegerField(
        db_default=0, help_text="Given back or being given back, in minor units of the currency."
    )

    class Meta:
        ordering = ("-placed_at", "-id")
        permissions = (
            ("cancel_order", "Can cancel an order"),
            ("refund_order", "Can give back money of an order"),
            ("dispatch_order", "Can dispatch an order"),
            ("receive_return", "Can receive a returned parcel"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("customer_id", "idempotency_key"), name="order_placed_once_per_customer_and_key"
            ),
            models.CheckConstraint(
                condition=Q(status__in=("confirmed", "partly_dispatched", "dispatched", "cancelled")),
                name="order_status_is_known",
            ),
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="order_total_not_negative"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="order_currency_is_iso_4217"),
            models.CheckConstraint(condition=Q(discount_minor__gte=0), name="order_discount_not_negative"),
            models.CheckConstraint(
                condition=Q(credit_minor__gte=0, credit_minor__lte=F("total_minor")), name="order_credit_within_total"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("total_minor")), name="order_not_over_refunded"
            ),
        )
        indexes = (models.Index("customer_id", F("placed_at").desc(), F("id").desc(), name="order_newest_of_customer"),)

    def __str__(self) -> str:
        return str(self.id)

    @property
    def refundable_minor(self) -> int:
        """What may still be given back, in minor units of the currency."""
        return self.total_minor - self.refunded_minor


class OrderLine(models.Model):
    """One line of an order, at the price when the customer ordered it."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="Place in the cart, from 0.")
    sku = models.TextField(verbose_name="SKU")
    quantity = models.SmallIntegerField(help_text="Whole units.")
    unit_price_minor = models.BigIntegerField(help_text="In minor units of the order's currency.")
    dispatched = models.SmallIntegerField(db_default=0, help_text="Units handed over, or being handed over.")
    returned = models.SmallIntegerField(db_default=0, help_text="Units taken back, or being taken back.")

    class Meta:
        ordering = ("order", "position")
        constraints = (
            models.UniqueConstraint(fields=("order", "position"), name="order_line_position_taken_once"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=LARGEST_QUANTITY), name="order_line_quantity_1_to_9999"
            ),
            models.CheckConstraint(condition=Q(unit_price_minor__gte=0), name="order_line_price_not_negative"),
            models.CheckConstraint(
                condition=Q(dispatched__gte=0, dispatched__lte=F("quantity")), name="order_line_not_over_dispatched"
            ),
            models.CheckConstraint(
                condition=Q(returned__gte=0, returned__lte=F("dispatched")), name="order_line_not_over_returned"
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity} of {self.sku}"

    @property
    def total_minor(self) -> int:
        return self.quantity * self.unit_price_minor


class ReturnRequest(models.Model):
    """Units that are to be sent back by a date. It takes no lock: `return_order` begins when the parcel is received."""

    class State(models.TextChoices):
        REQUESTED = "requested"
        RECEIVED = "received"
        REFUSED = "refused"

    EXPIRED = "expired"
    """How a request is shown whose parcel was not received in time. It is never stored: no job has to run in time."""

    id = models.UUIDField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="return_requests")
    lines = models.JSONField(help_text="List of sku and quantity.")
    reason = models.TextField()
    requested_by = models.TextField(help_text="“customer”, or the user name of the member of staff.")
    idempotency_key = models.TextField()
    request_hash = models.TextField(help_text="Of the body that the key came with.")
    state = models.TextField(choices=State.choices, default=State.REQUESTED)
    requested_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(help_text="Last moment at which the parcel may be received.")

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("order", "requested_by", "idempotency_key"), name="return_requested_once_per_key"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("requested", "received", "refused")), name="return_request_state_is_known"
            ),
        )

    def __str__(self) -> str:
        return str(self.id)

    def state_at(self, now: datetime) -> str:
        """Return the state as people see it at that time."""
        return self.EXPIRED if self.state == self.State.REQUESTED and now > self.expires_at else self.state


class OrderChange(models.Model):
    """A change of a placed order. Its id is its saga's.

    Money and units count in the order and its lines from the moment when the change is opened. A dropped change has
    given them back. A superseded change has lost the lock: its saga still has to close or drop it.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"
        DROPPED = "dropped"
        SUPERSEDED = "superseded"

    id = models.UUIDField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="changes")
    kind = models.TextField(choices=[(kind.value, kind.value) for kind in ChangeKind])
    lines = models.JSONField(help_text="List of sku and quantity: the units that it moves or gives money back for.")
    amount_minor = models.BigIntegerField(help_text="Money that it gives back, in minor units of the currency.")
    state = models.TextField(choices=State.choices, default=State.OPEN)
    fence = models.BigIntegerField(help_text="Fencing token of the lock on the order.")
    requested_by = models.TextField(help_text="“customer”, or the user name of the member of staff.")
    reason = models.TextField()
    return_request = models.ForeignKey(ReturnRequest, on_delete=models.PROTECT, null=True, blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("order",), condition=Q(state="open"), name="order_one_open_change"),
            models.CheckConstraint(
                condition=Q(kind__in=("dispatch", "cancel", "refund", "return")), name="order_change_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("open", "closed", "dropped", "superseded")), name="order_change_state_is_known"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="order_change_amount_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Ledger(LedgerRow):
    """The ledger of orders: what orders did for each saga."""

    class Meta(LedgerRow.Meta):
        verbose_name_plural = "ledger"


class Hold(HoldRow):
    """A lock that a saga holds in this service."""

    class Meta(HoldRow.Meta):
        verbose_name = "lock"


class Turn(TurnRow):
    """A saga that waits for a lock of this service."""

    class Meta(TurnRow.Meta):
        verbose_name = "waiting saga"


class Guard(GuardRow):
    """The highest fencing token that was used on a resource in this service."""

    class Meta(GuardRow.Meta):
        verbose_name = "guard"
