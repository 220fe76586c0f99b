"""The common base of the serializers that write JSON for staff."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers


class Shape(serializers.Serializer[Any]):
    # A comment, since a docstring would describe each of them in the OpenAPI document. A method `get_<field>`, if there
    # is one, reads that field. An empty text is written as null where the field allows null.

    @classmethod
    def of(cls, found: Any, **context: Any) -> dict[str, Any]:
        """Return the value as JSON-ready facts."""
        return cls(context=context).to_representation(found)

    @classmethod
    def of_each(cls, found: Iterable[Any], **context: Any) -> list[dict[str, Any]]:
        """Return each value as JSON-ready facts."""
        return list(map(cls(context=context).to_representation, found))

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the value as JSON-ready facts, in the order of the fields."""
        return {name: self._written(name, field, instance) for name, field in self.fields.items()}

    def _written(self, name: str, field: Any, found: Any) -> Any:
        get = getattr(self, f"get_{name}", None)
        value = get(found) if get else field.get_attribute(found)
        if value is None or (field.allow_null and value == ""):
            return None
        return field.to_representation(value)


class Time(serializers.DateTimeField):
    """A time in UTC, written with its offset."""

    def to_representation(self, value: Any) -> Any:
        return time_of(value)


def time_of(at: datetime | None) -> str | None:
    """Return the time in UTC, with its offset."""
    return at.astimezone(UTC).isoformat() if at else None


class ListPage(serializers.Serializer[Any]):
    """A part of a list."""

    next = serializers.CharField(allow_null=True, help_text="The address of the next page.")
