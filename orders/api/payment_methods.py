"""The token of a means of payment. The card itself is never accepted."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orchestration.text.card_numbers import holds_card_number

TOKEN_PATTERN = r"^[A-Za-z]+_[A-Za-z0-9_]{1,64}$"

_TOKEN = re.compile(TOKEN_PATTERN)


@extend_schema_field({"type": "string", "pattern": TOKEN_PATTERN, "example": "tok_ok"})
class PaymentMethod(serializers.Field[str, str, str, Any]):
    """A payment method token. An error never repeats the refused value: it may be a card number."""

    default_error_messages = {
        "card_number": "This looks like a card number. Send the token that the payment provider gave for it.",
        "invalid": "This is not a payment method token.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not _TOKEN.fullmatch(data):
            self.fail("card_number" if isinstance(data, str | int) and holds_card_number(str(data)) else "invalid")
        if holds_card_number(data):
            self.fail("card_number")
        return data

    def to_representation(self, value: str) -> str:
        raise NotImplementedError("a payment method goes in and never out")
