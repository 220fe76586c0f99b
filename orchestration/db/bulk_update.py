"""Changes many rows with one statement, each row by its own values.

The ORM writes the statement once, not for each batch: writing it takes several times as long as running it.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import orjson
from django.apps import apps
from django.db import connections, router
from django.db.models import BooleanField, Expression, F, Field, Func, Model, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.db.models.sql import UpdateQuery

from orchestration.db.sql import as_array, execute

_KEYS, _VALUES = object(), object()
"""Placeholders in a statement's parameters for the keys and the values of a call."""


class UpdateEach:
    """An UPDATE of rows by their keys, as `changes` say. Rows for which `where` is not true stay unchanged.

    Rows are locked in the order of their keys first. An UPDATE alone locks them in their order in the table, and two
    concurrent UPDATEs could deadlock.

        sell = UpdateEach(Stock, by="sku", on_hand=F("on_hand") - each_own("units", by="sku", kind=BigIntegerField()))
        sell({"tea": {"units": 2}, "cup": {"units": 1}})

    The model may be given by its label, "inventory.Stock", as a foreign key allows.
    """

    def __init__(self, model: type[Model] | str, *, by: str, where: Q | None = None, **changes: Any) -> None:
        self._model = model
        self._by, self._where, self._changes = by, where or Q(), changes

    def __call__(self, own: Mapping[Any, Mapping[str, Any]]) -> int:
        """Change the existing rows with the values given for each key. Return how many rows were changed."""
        if not own:
            return 0
        statement, parameters = self._written
        keys, values = as_array(own), orjson.dumps({str(key): values for key, values in own.items()}).decode()
        given = (keys if each is _KEYS else values if each is _VALUES else each for each in parameters)
        return len(execute(self._rows.db, statement, *given))

    @cached_property
    def _rows(self) -> QuerySet[Model]:
        model = apps.get_model(self._model) if isinstance(self._model, str) else self._model
        return model._default_manager.using(router.db_for_write(model))

    @cached_property
    def _written(self) -> tuple[str, tuple[Any, ...]]:
        type_ = self._rows.model._meta.get_field(self._by).db_type(connections[self._rows.db])
        keyed = self._rows.filter(_is_among(self._by, str(type_)))
        locked = keyed.filter(self._where).select_for_update().order_by(self._by).values("pk")
        update: Any = keyed.filter(pk__in=locked).query.chain(UpdateQuery)  # keyed twice: see "by keys" in decisions.md
        update.add_update_values(self._changes)
        statement, parameters = update.get_compiler(self._rows.db).as_sql()
        return f"{statement} RETURNING 1", tuple(parameters)


def each_own(name: str, *, by: str, kind: "Field[Any, Any]") -> Cast:
    """Return, for an `UpdateEach`, the value given under this name for the row whose key is in column `by`."""
    row = Func(_Given("jsonb", _VALUES), Cast(F(by), TextField()), template="(%(expressions)s)", arg_joiner=" -> ")
    return Cast(Func(row, template=f"(%(expressions)s ->> '{name}')"), kind)


class _Given(Expression):
    """A parameter whose value comes later. Until then `stands_for` is its placeholder."""

    def __init__(self, type_: str, stands_for: object) -> None:
        super().__init__(output_field=Field())
        self._type, self._stands_for = type_, stands_for

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return f"%s::{self._type}", [self._stands_for]


def _is_among(column: str, type_: str) -> Func:
    keys = _Given(f"{type_}[]", _KEYS)
    return Func(F(column), keys, template="%(expressions)s)", arg_joiner=" = ANY(", output_field=BooleanField())
