"""Tables of the inventory service: units held, units promised, and every change of either."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from inventory.stock import StockWrites
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.lock_tables import GuardRow


class Stock(models.Model):
    """Units of one SKU in the warehouse. What a buyer may have is `on_hand - reserved`."""

    sku = models.TextField(primary_key=True, verbose_name="SKU")
    on_hand = models.BigIntegerField(help_text="Units in the warehouse, the promised ones included.")
    reserved = models.BigIntegerField(default=0, help_text="Units promised to orders.")
    version = models.BigIntegerField(default=0, help_text="Grows with every change.")

    objects = StockWrites()

    class Meta:
        verbose_name_plural = "stock"
        ordering = ("sku",)
        constraints = (
            models.CheckConstraint(condition=~Q(sku=""), name="stock_sku_is_not_empty"),
            models.CheckConstraint(condition=Q(on_hand__gte=0), name="stock_on_hand_not_negative"),
            models.CheckConstraint(condition=Q(reserved__gte=0), name="stock_reserved_not_negative"),
            models.CheckConstraint(condition=Q(reserved__lte=F("on_hand")), name="stock_not_oversold"),
        )

    def __str__(self) -> str:
        return self.sku

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class Reservation(models.Model):
    """Units of one SKU promised to one checkout's order. Those not `consumed` are live until `released_at`."""

    id = models.BigAutoField(primary_key=True)
    saga_id = models.UUIDField()
    order_id = models.UUIDField()
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, db_column="sku", db_index=False)
    quantity = models.BigIntegerField(help_text="Units.")
    consumed = models.BigIntegerField(db_default=0, help_text="Units of them that have left the warehouse.")
    returned = models.BigIntegerField(db_default=0, help_text="Consumed units that came back.")
    reserved_at = models.DateTimeField(db_default=Now())
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("saga_id", "stock"), name="reservation_once_per_saga_and_sku"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="reservation_holds_a_unit"),
            models.CheckConstraint(
                condition=Q(consumed__gte=0, consumed__lte=F("quantity")), name="reservation_not_over_consumed"
            ),
            models.CheckConstraint(
                condition=Q(returned__gte=0, returned__lte=F("consumed")), name="reservation_not_over_returned"
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity} of {self.stock_id}"

    @property
    def unconsumed(self) -> int:
        """Units that have not left the warehouse."""
        return self.quantity - self.consumed


class Movement(models.Model):
    """One change of one SKU's units. Rows are only ever added."""

    class Kind(models.TextChoices):
        RECEIVED = "received"
        """`on_hand` grew."""
        RESERVED = "reserved"
        """`reserved` grew."""
        RELEASED = "released"
        """`reserved` shrank."""
        CONSUMED = "consumed"
        """Both shrank: the units left the warehouse."""
        RETURNED = "returned"
        """`on_hand` grew: consumed units came back."""

    id = models.BigAutoField(primary_key=True)
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT, db_column="sku")
    kind = models.TextField(choices=Kind.choices)
    quantity = models.BigIntegerField(help_text="Units, always positive.")
    saga_id = models.UUIDField(null=True, blank=True, help_text="The checkout whose units these are, if one has them.")
    change_id = models.UUIDField(
        null=True, blank=True, help_text="The change of the order that moved them, if one did."
    )
    moved_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gte=1), name="movement_moves_a_unit"),
            models.CheckConstraint(
                condition=Q(kind__in=("received", "reserved", "released", "consumed", "returned")),
                name="movement_kind_is_known",
            ),
        )
        indexes = (
            models.Index(fields=("saga_id",), name="movement_by_saga", condition=Q(saga_id__isnull=False)),
            models.Index(fields=("change_id",), name="movement_by_change", condition=Q(change_id__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity} of {self.stock_id}"


class Ledger(LedgerRow):
    """What inventory did for each saga."""

    class Meta(LedgerRow.Meta):
        verbose_name_plural = "ledger"


class Guard(GuardRow):
    """The highest fencing token that was used on a resource in this service."""

    class Meta(GuardRow.Meta):
        verbose_name = "guard"
