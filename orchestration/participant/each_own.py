"""Many rows changed by one statement, each to or by a value of its own."""

from collections.abc import Mapping
from typing import Any

from django.db.models import F, Field, Func, JSONField, TextField, Value
from django.db.models.functions import Cast


def each_own(values: Mapping[str, Any], *, by: str, kind: "Field[Any, Any]") -> Cast:
    """An expression that is, in each row, the value under what the row's column `by` says, as a field of that kind.

    Stock.objects.filter(sku__in=units).update(reserved=each_own(units, by="sku", kind=BigIntegerField()))
    """
    table = Value(dict(values), JSONField())
    own = Func(table, Cast(F(by), TextField()), template="(%(expressions)s)", arg_joiner=" ->> ")
    return Cast(own, kind)
