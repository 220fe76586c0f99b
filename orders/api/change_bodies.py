"""The bodies of requests for changes of an order."""

from dataclasses import dataclass
from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from orchestration.api.problems import FieldError, ValidationFailed
from orchestration.api.strict_fields import Strict, Text, WholeNumber
from orchestration.contracts.order_changes import ChangeKind, RefundTo
from orchestration.contracts.values import LARGEST_AMOUNT_MINOR, SkuQuantity
from orchestration.operators.api.requests import RecordText
from orders.api.carts import MOST_LINES, CartLine, iso_4217
from orders.models import Order

LONGEST_PARCEL_NUMBER = 64

parcel_number = RegexValidator(
    r"^[A-Za-z0-9](?:[A-Za-z0-9 /.-]*[A-Za-z0-9])?\Z",
    "A number of a parcel has letters A to Z, digits, and between them spaces, slashes, dots and hyphens.",
    code="invalid",
)


@dataclass(frozen=True)
class ChangeAsked:
    """A change of an order as it was asked for. Its fields are those of `ChangeRequested`."""

    kind: ChangeKind
    reason: str = ""
    lines: tuple[SkuQuantity, ...] = ()
    amount_minor: int | None = None
    refund_to: RefundTo = RefundTo.PAYMENT
    parcel_number: str = ""


class ParcelNumber(Text):
    """A carrier's number of a parcel. It is not checked for card numbers: one in ten numbers of digits would look like
    one.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_PARCEL_NUMBER, **kwargs)
        self.validators.append(parcel_number)

    def is_card_number(self, text: str) -> bool:
        return False


class PositiveAmount(Strict):
    """Money to give back."""

    amount_minor = WholeNumber(min_value=1, max_value=LARGEST_AMOUNT_MINOR, help_text="In minor units, at least 1.")
    currency = Text(validators=[iso_4217], help_text="ISO 4217 code: the currency of the order.")


class ChangeBody(Strict):
    """A change of an order. Each kind of change has a body with some of these members."""

    def asked(self, kind: ChangeKind, body: Any, order: Order) -> ChangeAsked:
        """Return the change that the body asks for.

        :raises ValidationError: naming every invalid member.
        """
        values = self.run_validation(body)
        return ChangeAsked(
            kind,
            reason=values.get("reason", ""),
            lines=tuple(SkuQuantity(line["sku"], line["quantity"]) for line in values.get("lines", ())),
            amount_minor=_amount_minor(values, order),
            refund_to=RefundTo(values.get("refund_to", RefundTo.PAYMENT)),
            parcel_number=values.get("parcel_number", ""),
        )


def _lines(meaning: str) -> serializers.ListField:
    return serializers.ListField(
        child=CartLine(), min_length=1, max_length=MOST_LINES, required=False, help_text=meaning
    )


def _refund_to() -> serializers.ChoiceField:
    return serializers.ChoiceField(
        [each.value for each in RefundTo],
        required=False,
        help_text="`payment` (the default): the way it was paid. `credit`: the customer's store credit.",
    )


class Cancellation(ChangeBody):
    """Why an order is cancelled."""

    reason = RecordText(required=False, help_text="For the record. Staff must give one.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Five pounds", value={"amount": {"amount_minor": 500, "currency": "GBP"}, "reason": "scratched"}
        ),
        OpenApiExample("All that is left", value={"reason": "never arrived", "refund_to": "credit"}),
    ]
)
class Refund(ChangeBody):
    """What is given back: the price of `lines`, or `amount`, or without both all that is left."""

    lines = _lines("Give back the price of these units.")
    amount = PositiveAmount(required=False)
    refund_to = _refund_to()
    reason = RecordText(help_text="For the record.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "lines" in attrs and "amount" in attrs:
            raise ValidationError({"amount": [ErrorDetail("Give lines or an amount, not both.", "contradiction")]})
        return attrs


class Dispatch(ChangeBody):
    """What was handed over to the carrier."""

    lines = _lines("The units in the parcel; without lines, all that are left.")
    parcel_number = ParcelNumber(
        required=False, help_text="The carrier's number of a further parcel. The first one is booked already."
    )
    reason = RecordText(required=False, help_text="For the record.")


class ReturnAsked(ChangeBody):
    """What the customer wants to send back, and why."""

    lines = _lines("The units to send back; without lines, all that can be returned.")
    reason = RecordText(help_text="Why they are sent back.")


class Receipt(ChangeBody):
    """What came back. Without lines, all units of the return request."""

    lines = _lines("The units in the parcel, if they are not those of the return request.")
    amount = PositiveAmount(required=False, help_text="Give back this amount instead of the price of the units.")
    refund_to = _refund_to()
    reason = RecordText(required=False, help_text="For the record; without it, the reason of the return request.")


def _amount_minor(values: dict[str, Any], order: Order) -> int | None:
    amount = values.get("amount")
    if amount is None:
        return None
    if amount["currency"] != order.currency:
        sentence = f"The order was paid in {order.currency}."
        raise ValidationFailed(errors=[FieldError("/amount/currency", "currency_mismatch", sentence)])
    return int(amount["amount_minor"])
