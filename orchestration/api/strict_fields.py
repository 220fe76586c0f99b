"""Strict JSON fields: a value of another type than the field's is refused, not converted."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.core.validators import RegexValidator
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.settings import api_settings

from orchestration.text.card_numbers import REFUSED, holds_card_number
from orchestration.text.cleaning import HARMFUL_IN_NAMES
from orchestration.text.formatting import can_be_seen

no_control_characters = RegexValidator(
    rf"^[^{HARMFUL_IN_NAMES}]*\Z",
    "Line breaks, other control characters and characters that turn text around are not allowed.",
    code="control_character",
)
"""Direction marks, joiners and non-joiners are allowed: Arabic, Hebrew, Persian and emoji need them."""


class Text(serializers.CharField):
    """A JSON string of one line, stripped of surrounding space. REST framework's own field would also accept a number.

    A text of only invisible characters counts as blank. A text with a card number is refused and never repeated.
    """

    default_error_messages = {"card_number": REFUSED}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_length": None if kwargs.get("allow_blank") else 1, **kwargs})
        self.validators.append(no_control_characters)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        seen = "" if isinstance(data, str) and not can_be_seen(data) else data
        return super().run_validation(seen)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str | int) and self.is_card_number(str(data)):
            self.fail("card_number")
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def is_card_number(self, text: str) -> bool:
        """Return whether the text must be refused because of a card number."""
        return holds_card_number(text)


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction. REST framework's own field would also accept "2" and 2.0."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Number(serializers.FloatField):
    """A JSON number. REST framework's own field would also accept "2.5" and true."""

    def to_internal_value(self, data: Any) -> float:
        if not isinstance(data, int | float) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class TrueOrFalse(serializers.BooleanField):
    """A JSON true or false. REST framework's own field would also accept "yes", "on" and 1."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Id(serializers.UUIDField):
    """A UUID as a JSON string. REST framework's own field would also accept a number."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Strict(serializers.Serializer[Any]):
    """A JSON object that may hold no member it does not declare."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        unknown = [name for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        errors = dict(map(_unknown_field, unknown))
        try:
            values: dict[str, Any] = super().to_internal_value(data)
        except ValidationError as error:
            raise ValidationError({**cast(dict[str, Any], error.detail), **errors}) from None
        if errors:
            raise ValidationError(errors)
        return values


def _unknown_field(name: str) -> tuple[str, list[ErrorDetail]]:
    """Return the error of an undeclared member. A name that holds a card number is not repeated."""
    if holds_card_number(name):
        return api_settings.NON_FIELD_ERRORS_KEY, [ErrorDetail(REFUSED, code="card_number")]
    return name, [ErrorDetail("There is no such field.", code="unknown_field")]


class StrictSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Says in the OpenAPI document that a `Strict` object has no other members."""

    target_class = Strict
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
        return {**schema, "additionalProperties": False}
