"""Tables of the orders service: products and orders."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.contracts.values import LARGEST_AMOUNT_MINOR, nfc
from orchestration.participant.ledger import LedgerRow

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
    """One order. Its row is written once, confirmed, at the pivot."""

    class Status(models.TextChoices):
        CONFIRMED = "confirmed"

    id = models.UUIDField(primary_key=True)
    saga_id = models.UUIDField(unique=True)
    customer_id = models.TextField()
    idempotency_key = models.TextField()
    status = models.TextField(choices=Status.choices)
    total_minor = models.BigIntegerField(help_text="Sum of the lines in minor units of the currency.")
    currency = models.CharField(max_length=3, help_text="ISO 4217 code.")
    shipping_address = models.JSONField()
    authorisation_id = models.TextField()
    tracking_number = models.TextField()
    placed_at = models.DateTimeField(help_text="When the customer asked for it.")
    confirmed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-placed_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("customer_id", "idempotency_key"), name="order_placed_once_per_customer_and_key"
            ),
            models.CheckConstraint(condition=Q(status__in=("confirmed",)), name="order_status_is_known"),
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="order_total_not_negative"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="order_currency_is_iso_4217"),
        )
        indexes = (models.Index("customer_id", F("placed_at").desc(), F("id").desc(), name="order_newest_of_customer"),)

    def __str__(self) -> str:
        return str(self.id)


class OrderLine(models.Model):
    """One line of an order, at the price when the customer ordered it."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="Place in the cart, from 0.")
    sku = models.TextField(verbose_name="SKU")
    quantity = models.SmallIntegerField(help_text="Whole units.")
    unit_price_minor = models.BigIntegerField(help_text="In minor units of the order's currency.")

    class Meta:
        ordering = ("order", "position")
        constraints = (
            models.UniqueConstraint(fields=("order", "position"), name="order_line_position_taken_once"),
            models.CheckConstraint(
                condition=Q(quantity__gte=1, quantity__lte=LARGEST_QUANTITY), name="order_line_quantity_1_to_9999"
            ),
            models.CheckConstraint(condition=Q(unit_price_minor__gte=0), name="order_line_price_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} of {self.sku}"

    @property
    def total_minor(self) -> int:
        return self.quantity * self.unit_price_minor


class Ledger(LedgerRow):
    """The ledger of orders: what orders did for each saga."""

    class Meta(LedgerRow.Meta):
        verbose_name_plural = "ledger"
