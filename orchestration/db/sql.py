"""Plain SQL where every message passes: prepared by the server, many rows at once, past Django's cursor."""

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
    """Run a statement, its parameters bound by the server, and give its rows.

    :raises django.db.Error: what the ORM would raise.
    """
    connection = connections[alias]
    trips = statement_buffer.of(connection) or RoundTrips(connection)
    return trips.execute(statement, parameters)


def run_later(alias: str, statement: str, *parameters: Any) -> None:
    """Run a statement whose rows nobody needs: in the kit's transactions at the latest with the COMMIT, in the same
    round trip; elsewhere at once."""
    if trips := statement_buffer.of(connections[alias]):
        trips.later(statement, parameters)
    else:
        execute(alias, statement, *parameters)


def flush(alias: str) -> None:
    """Run what `run_later` has put off until now."""
    if trips := statement_buffer.of(connections[alias]):
        trips.flush()


def find_all(model: type[M], alias: str, where: str, *parameters: Any) -> list[M]:
    """The rows of a model for which `where`, in SQL, is true.

    Like `filter`, for where every request passes: the ORM takes longer to write a statement than the server to run it.
    """
    attributes, statement, json = _selection(model)
    rows = execute(alias, f"{statement} WHERE {where}", *parameters)
    if json:
        rows = [_decoded(row, json) for row in rows]
    return [model.from_db(alias, attributes, row) for row in rows]


def as_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as the one parameter that `rows_of` reads; ids and times as text, None and NaN as NULL.

    :raises TypeError: for a number beyond 64 bits, or a key that is no text.
    """
    return orjson.dumps(list(rows)).decode()


def as_array(values: Iterable[Any]) -> str:
    """Values, by their text, as a parameter that is cast to an array: psycopg takes its time over each of a list."""
    return f"{{{','.join(map(_quoted_element, values))}}}"


def _quoted_element(value: Any) -> str:
    text = str(value).replace("\\", r"\\").replace('"', r"\"")
    return f'"{text}"'


def insert_all(rows: Sequence[Model], alias: str) -> None:
    """Insert unsaved rows of one model with one statement, their columns with a database default left to it.

    Like `bulk_create`, for where every message passes; the rows learn nothing of what the database made of them.
    """
    if not rows:
        return
    model = type(rows[0])
    columns = _inserted_columns(model)
    given = as_rows({name: value_of(row) for name, value_of in columns} for row in rows)
    run_later(alias, _insertion(model), given)


@cache
def _selection(model: type[Model]) -> tuple[tuple[str, ...], str, frozenset[int]]:
    """Attributes, a SELECT of their columns, and which of those are JSON, which `pipeline` leaves as text."""
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
    """What to select FROM: a parameter made by `as_rows`, with these columns of the model and `more` ("was text")."""
    connection = connections["orchestration"]
    typed = [f'"{name}" {_field(model, name).db_type(connection)}' for name in columns]
    return f"jsonb_to_recordset(%s::jsonb) AS {named}({', '.join([*typed, *more])})"


def quoted(columns: Iterable[str], of: str = "") -> str:
    """Column names for a statement, each of the table of that name."""
    return ", ".join(f'{of}."{name}"' if of else f'"{name}"' for name in columns)


def _field(model: type[Model], column: str) -> Any:
    return next(field for field in model._meta.concrete_fields if field.column == column)
