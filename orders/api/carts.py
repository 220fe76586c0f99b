"""The body of `POST /checkouts`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from orchestration.api.strict_fields import Strict, Text, WholeNumber
from orchestration.contracts.values import LARGEST_AMOUNT_MINOR, Address, nfc
from orchestration.text.formatting import can_be_seen
from orders.api.countries import COUNTRIES, WITHOUT_POSTCODES
from orders.api.payment_methods import PaymentMethod
from orders.models import LARGEST_QUANTITY
from orders.pricing import Total

MOST_LINES = 1_000

iso_4217 = RegexValidator(r"^[A-Z]{3}\Z", "Not an ISO 4217 currency code, such as GBP.", code="invalid_currency")


@dataclass(frozen=True)
class Cart:
    """What a customer wants to buy. `payment_method` is not encrypted yet: it must not be stored or logged."""

    lines: tuple[tuple[str, int], ...]
    shipping_address: Address | None
    payment_method: str
    expected_total: Total | None
    coupon: str = ""
    use_credit: int = 0

    def __repr__(self) -> str:
        return f"Cart({len(self.lines)} lines)"


@extend_schema_field({"type": "string", "enum": sorted(COUNTRIES)})
class Country(serializers.Field[str, Any, str, Any]):
    """An ISO 3166-1 alpha-2 code."""

    default_error_messages = {"invalid_country": "Not an ISO 3166-1 alpha-2 country code, such as GB."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in COUNTRIES:
            self.fail("invalid_country")
        return data

    def to_representation(self, value: str) -> str:
        return value


class Sku(Text):
    """A product's SKU. An EAN can look like a card number, so a SKU is refused as one only if it is not on sale."""

    def to_internal_value(self, data: Any) -> str:
        return nfc(super().to_internal_value(data))

    def is_card_number(self, text: str) -> bool:
        return False


class CouponCode(Text):
    """A coupon's code, in upper or lower case."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).upper()


class CartLine(Strict):
    """Units of one product. The same product may be on several lines."""

    sku = Sku(max_length=64)
    quantity = WholeNumber(min_value=1, max_value=LARGEST_QUANTITY)


class ShippingAddress(Strict):
    """Where the parcel goes. A postcode is needed where the country has postcodes."""

    name = Text(max_length=200)
    line1 = Text(max_length=200)
    line2 = Text(max_length=200, allow_blank=True, default="")
    city = Text(max_length=100)
    postcode = Text(max_length=20, allow_blank=True, default="", help_text="Required where the country has postcodes.")
    country = Country()

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        errors = _missing_postcode(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            raise ValidationError(errors | cast(dict[str, Any], error.detail)) from None
        if errors:
            raise ValidationError(errors)
        return values


class ExpectedTotal(Strict):
    """What the customer was shown. When the catalogue's prices say otherwise, nothing is bought."""

    amount_minor = WholeNumber(min_value=0, max_value=LARGEST_AMOUNT_MINOR, help_text="In minor units.")
    currency = Text(validators=[iso_4217], help_text="ISO 4217 code.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two mugs",
            value={
                "lines": [{"sku": "DEMO-001", "quantity": 2}],
                "shipping_address": {
                    "name": "Ada Lovelace",
                    "line1": "12 St James's Square",
                    "city": "London",
                    "postcode": "SW1Y 4JH",
                    "country": "GB",
                },
                "payment_method": "tok_ok",
            },
        )
    ]
)
class CheckoutRequest(Strict):
    """A cart, where it goes, and how it is paid."""

    lines = serializers.ListField(child=CartLine(), allow_empty=False, min_length=1, max_length=MOST_LINES)
    shipping_address = ShippingAddress(required=False, help_text="Required if a product is sent in a parcel.")
    payment_method = PaymentMethod(
        required=False,
        help_text="A token of the payment provider; card numbers are refused. Required if the card has to pay.",
    )
    expected_total = ExpectedTotal(required=False)
    coupon = CouponCode(required=False, max_length=40)
    use_credit = WholeNumber(
        required=False,
        min_value=0,
        max_value=LARGEST_AMOUNT_MINOR,
        help_text="Store credit to spend, in minor units of the currency. No more is spent than the order costs.",
    )


def read_cart(body: Any) -> Cart:
    """Read a cart from parsed JSON.

    :raises ValidationError: naming every invalid member.
    """
    values = _request().run_validation(body)
    expected = values.get("expected_total")
    return Cart(
        lines=tuple((line["sku"], line["quantity"]) for line in values["lines"]),
        shipping_address=Address(**values["shipping_address"]) if "shipping_address" in values else None,
        payment_method=values.get("payment_method", ""),
        expected_total=Total(**expected) if expected else None,
        coupon=values.get("coupon", ""),
        use_credit=values.get("use_credit", 0),
    )


def _missing_postcode(address: Mapping[str, Any]) -> dict[str, list[ErrorDetail]]:
    country, postcode = address.get("country"), address.get("postcode")
    if isinstance(country, str) and country in WITHOUT_POSTCODES:
        return {}
    if "postcode" not in address:
        return {"postcode": [ErrorDetail("This field is required in this country.", code="required")]}
    if isinstance(postcode, str) and not can_be_seen(postcode):
        return {"postcode": [ErrorDetail("This field may not be blank in this country.", code="blank")]}
    return {}


@cache
def _request() -> CheckoutRequest:
    """Return one serializer for all requests: creating its fields takes longer than checking a
    request, and it keeps no state of a request.
    """
    return CheckoutRequest()
