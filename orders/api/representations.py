"""How checkouts, orders and products are represented in JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orchestration.contracts.values import LARGEST_AMOUNT_MINOR
from orders.models import Order, OrderLine, Product

Amount = dict[str, Any]
ACCEPTED = ["processing"]
"""The status of a checkout or a change as it was accepted."""
CHECKOUT_STATUSES = [*ACCEPTED, "cancelling", "confirmed", "failed", "cancelled"]


def amount(amount_minor: int, currency: str) -> Amount:
    """Return an amount as every resource shows it."""
    return {"amount_minor": amount_minor, "currency": currency}


class Money(serializers.Serializer[Any]):
    amount_minor = serializers.IntegerField(
        min_value=0,
        max_value=LARGEST_AMOUNT_MINOR,
        help_text="In minor units of the currency: 1998 is £19.98.",
    )
    currency = serializers.CharField(help_text="ISO 4217 code.")


class StepProgress(serializers.Serializer[Any]):
    name = serializers.CharField()
    status = serializers.CharField(help_text="Such as waiting, started, done, refused, undone, skipped.")
    since = serializers.DateTimeField(allow_null=True, help_text="Since when it has this status; null when not known.")
    attempts = serializers.IntegerField()


class Failure(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs: out_of_stock, card_declined, cannot_deliver, …")
    detail = serializers.CharField(help_text="For people.")
    order_id = serializers.UUIDField(
        allow_null=True, help_text="Only with already_placed: the order that was placed with this Idempotency-Key."
    )


class AcceptedCheckout(serializers.Serializer[Any]):
    """A checkout as it was accepted; every reply to the same Idempotency-Key is the same."""

    id = serializers.UUIDField()
    order_id = serializers.UUIDField(help_text="The order's id, once it is confirmed.")
    status = serializers.ChoiceField(choices=ACCEPTED)
    total = Money()
    created_at = serializers.DateTimeField()


class CheckoutState(AcceptedCheckout):
    """Where a checkout stands."""

    status = serializers.ChoiceField(
        choices=CHECKOUT_STATUSES,
        help_text="confirmed, failed and cancelled are final.",
    )
    discount = Money(help_text="What the coupon takes off the lines. `total` is what is left.")
    credit = Money(help_text="The part of `total` that store credit pays.")
    card = Money(help_text="The part of `total` that the card pays.")
    steps = StepProgress(many=True)
    failure = Failure(allow_null=True, help_text="Why there will be no order.")
    decided_at = serializers.DateTimeField(allow_null=True)


class OrderLineShown(serializers.ModelSerializer[OrderLine]):
    quantity = serializers.IntegerField()
    unit_price = serializers.SerializerMethodField()
    total = serializers.SerializerMethodField()
    dispatched = serializers.IntegerField(help_text="Units handed over to the carrier.")
    returned = serializers.IntegerField(help_text="Units that came back.")

    class Meta:
        model = OrderLine
        fields = ("sku", "quantity", "unit_price", "total", "dispatched", "returned")

    @extend_schema_field(Money)
    def get_unit_price(self, line: OrderLine) -> Amount:
        return amount(line.unit_price_minor, line.order.currency)

    @extend_schema_field(Money)
    def get_total(self, line: OrderLine) -> Amount:
        return amount(line.total_minor, line.order.currency)


class AddressShown(serializers.Serializer[Any]):
    name = serializers.CharField()
    line1 = serializers.CharField()
    line2 = serializers.CharField()
    city = serializers.CharField()
    postcode = serializers.CharField()
    country = serializers.CharField()


class OrderShown(serializers.ModelSerializer[Order]):
    checkout_id = serializers.UUIDField(source="saga_id", help_text="The checkout that placed it.")
    total = serializers.SerializerMethodField(help_text="What was to be paid: the lines less the discount.")
    discount = serializers.SerializerMethodField(help_text="What the coupon took off the lines.")
    credit = serializers.SerializerMethodField(help_text="The part of `total` that store credit paid.")
    refunded = serializers.SerializerMethodField(help_text="Given back, or being given back.")
    lines = OrderLineShown(many=True)
    shipping_address = AddressShown(allow_null=True)

    class Meta:
        model = Order
        fields = (
            "id",
            "checkout_id",
            "status",
            "total",
            "discount",
            "credit",
            "refunded",
            "lines",
            "shipping_address",
            "tracking_number",
            "placed_at",
        )

    @extend_schema_field(Money)
    def get_total(self, order: Order) -> Amount:
        return amount(order.total_minor, order.currency)

    @extend_schema_field(Money)
    def get_discount(self, order: Order) -> Amount:
        return amount(order.discount_minor, order.currency)

    @extend_schema_field(Money)
    def get_credit(self, order: Order) -> Amount:
        return amount(order.credit_minor, order.currency)

    @extend_schema_field(Money)
    def get_refunded(self, order: Order) -> Amount:
        return amount(order.refunded_minor, order.currency)


class ProductShown(serializers.ModelSerializer[Product]):
    """A product on sale."""

    price = serializers.SerializerMethodField()
    available = serializers.SerializerMethodField(help_text="Units that can be bought now.")

    class Meta:
        model = Product
        fields = ("sku", "name", "price", "available")

    @extend_schema_field(Money)
    def get_price(self, product: Product) -> Amount:
        return amount(product.price_minor, product.currency)

    def get_available(self, product: Product) -> int:
        """Get the available units from the context's `available_units`, by SKU."""
        units: dict[str, int] = self.context["available_units"]
        return units.get(product.sku, 0)
