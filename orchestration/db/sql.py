"""Plain SQL for hot paths: prepared by the server, many rows at once, without Django's cursor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import orjson
from django.db import connections
from django.db.models import AutoField, BigAutoField, JSONField, Model

from orchestration.db import statement_buffer
from orchestration.db.statement_buffer import RoundTrips

M = TypeVar("M", bound=Model)


def execute(alias: str, statement: str, *parameters: Any) -> list[Any]:
    """Run a statement whose parameters the server binds. Return its rows.

    :raises django.db.Error: what the ORM would raise.
    """
    connection = connections[alias]
    trips = statement_buffer.of(connection) or RoundTrips(connection)
    return trips.execute(statement, parameters)


def run_later(alias: str, statement: str, *parameters: Any) -> None:
    """Run a statement and discard its rows.

    In the kit's transactions it runs with the COMMIT at the latest, in the same round trip; elsewhere at once.
    """
    if trips := statement_buffer.of(connections[alias]):
        trips.later(statement, parameters)
    else:
        execute(alias, statement, *parameters)


def flush(alias: str) -> None:
    """Run the statements that `run_later` has postponed."""
    if trips := statement_buffer.of(connections[alias]):
        trips.flush()


def find_all(model: type[M], alias: str, where: str, *parameters: Any) -> list[M]:
    """Return the rows of a model for which `where`, in SQL, is true.

    This replaces `filter` on hot paths: the ORM takes longer to write a statement than the server to run it.
    """
    attributes, statement, json = _selection(model)
    rows = execute(alias, f"{statement} WHERE {where}", *parameters)
    if json:
        rows = [_decoded(row, json) for row in rows]
    return [model.from_db(alias, attributes, row) for row in rows]


def as_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """Encode rows as the one parameter that `rows_of` reads: ids and times as text, None and NaN as NULL.

    :raises TypeError: when a number exceeds 64 bits, or a key is no text.
    """
    return orjson.dumps(list(rows)).decode()


def as_array(values: Iterable[Any]) -> str:
    """Encode values, as text, as one parameter to cast to an array. This is faster than psycopg's lists."""
    return f"{{{','.join(map(_quoted_element, values))}}}"


def _quoted_element(value: Any) -> str:
    text = str(value).replace("\\", r"\\").replace('"', r"\"")
    return f'"{text}"'


def insert_all(rows: Sequence[Model], alias: str) -> None:
    """Insert unsaved rows of one model with one statement. Columns with a database default get that default.

    This replaces `bulk_create` on hot paths. The row objects do not get the values that the database generates.
    """
    if not rows:
        return
    model = type(rows[0])
    columns = _inserted_columns(model)
    given = as_rows({name: value_of(row) for name, value_of in columns} for row in rows)
    run_later(alias, _insertion(model), given)


@cache
def _selection(model: type[Model]) -> tuple[tuple[str, ...], str, frozenset[int]]:
    """Return the attributes, a SELECT of their columns, and the positions of JSON, which `pipeline` leaves as text."""
    fields = model._meta.concrete_fields
    statement = f'SELECT {quoted(str(field.column) for field in fields)} FROM "{model._meta.db_table}"'
    json = frozenset(index for index, field in enumerate(fields) if isinstance(field, JSONField))
    return tuple(field.attname for field in fields), statement, json


def _decoded(row: Sequence[Any], json: frozenset[int]) -> list[Any]:
    return [orjson.loads(value) if index in json and value is not None else value for index, value in enumerate(row)]


@cache
def _inserted_columns(model: type[Model]) -> tuple[tuple[str, Callable[[Model], Any]], ...]:
    fields = [field for field in model._meta.concrete_fields if not field.has_db_default() and not _is_made(field)]
    return tuple((str(field.column), attrgetter(field.attname)) for field in fields)


@cache
def _insertion(model: type[Model]) -> str:
    columns = tuple(name for name, _ in _inserted_columns(model))
    return (
        f'INSERT INTO "{model._meta.db_table}" ({quoted(columns)}) '
        f"SELECT {quoted(columns, of='given')} FROM {rows_of(model, columns)}"
    )


def _is_made(field: Any) -> bool:
    return isinstance(field, AutoField | BigAutoField)


@cache
def rows_of(model: type[Model], columns: tuple[str, ...], *more: str, named: str = "given") -> str:
    """Return the FROM item for a parameter made by `as_rows`: these columns of the model and `more` ("was text")."""
    connection = connections["orchestration"]
    typed = [f'"{name}" {_field(model, name).db_type(connection)}' for name in columns]
    return f"jsonb_to_recordset(%s::jsonb) AS {named}({', '.join([*typed, *more])})"


def quoted(columns: Iterable[str], of: str = "") -> str:
    """Quote column names for a statement, each prefixed with the table `of` if given."""
    return ", ".join(f'{of}."{name}"' if of else f'"{name}"' for name in columns)


def _field(model: type[Model], column: str) -> Any:
    return next(field for field in model._meta.concrete_fields if field.column == column)
