"""Old sagas for measurements with full databases: copies of one saga that really ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db.models import AutoField, BigAutoField, F, Model

from config.databases import parameters_of
from inventory.models import Ledger as InventoryLedger
from inventory.models import Movement, Reservation, Stock
from inventory.services import receive_stock
from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orders.models import Ledger as OrdersLedger
from orders.models import Order, OrderLine
from payments.models import Ledger as PaymentsLedger
from payments.models import Payment
from shipping.models import Ledger as ShippingLedger
from shipping.models import Shipment

CUSTOMER = "bench-stored"
"""The customer of all copies."""
AT_ONCE = 20_000
"""Copies that one statement makes."""
EPOCH_MS = 1_577_836_800_000
"""The ids of the copies begin in 2020, one second each. They identify copies in tables without a customer."""
FIRST_ID, LAST_ID = (UUID(f"{ms:012x}{'0' * 20}") for ms in (EPOCH_MS, EPOCH_MS + 366 * 24 * 3600 * 1000))

TABLES: tuple[tuple[str, type[Model], str], ...] = (
    (ALIAS, SagaInstance, "id"),
    (ALIAS, SagaLogEntry, "saga_id"),
    ("inventory", InventoryLedger, "saga_id"),
    ("inventory", Movement, "saga_id"),
    ("inventory", Reservation, "saga_id"),
    ("payments", PaymentsLedger, "saga_id"),
    ("payments", Payment, "saga_id"),
    ("shipping", ShippingLedger, "saga_id"),
    ("shipping", Shipment, "saga_id"),
    ("orders", OrdersLedger, "saga_id"),
    ("orders", Order, "saga_id"),
    ("orders", OrderLine, "order_id"),
)
"""Alias, model, and the column that names the saga or order of a row; referenced tables first."""
UNIFORM = {"definition", "customer_id", "phase", "kind", "step", "status", "sku", "detail"}
"""Text columns that never contain an id. They are copied as they are."""
GIVEN = {"authorisation_id", "capture_id", "tracking_number"}
"""Ids assigned by gateway and carrier. They are unique, and may not be derived from any id of ours."""

COPIES = """
    SELECT (ms || '70008000' || lpad(to_hex(n), 12, '0'))::uuid AS saga,
           (ms || '70009000' || lpad(to_hex(n), 12, '0'))::uuid AS placed,
           to_timestamp(%(epoch)s::bigint / 1000 + n) - %(started_at)s AS since
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n,
         lpad(to_hex(%(epoch)s::bigint + 1000 * n), 12, '0') AS ms
"""


@dataclass(frozen=True)
class Original:
    """The saga that is copied."""

    saga_id: UUID
    order_id: UUID
    started_at: datetime

    def parameters(self) -> dict[str, Any]:
        """Return the original's ids as parameters of the statements."""
        ids = {"saga": self.saga_id, "placed": self.order_id, "started_at": self.started_at, "epoch": EPOCH_MS}
        return ids | {"saga_text": str(self.saga_id), "placed_text": str(self.order_id)}


def count() -> int:
    """Count the sagas of `CUSTOMER`, the original included."""
    return SagaInstance.objects.filter(customer_id=CUSTOMER).count()


def fill(*, sagas: int, original: UUID) -> None:
    """Add copies until the databases hold so many sagas of `CUSTOMER`, the original, which has ended, included."""
    copied = SagaInstance.objects.get(pk=original)
    assert copied.order_id is not None
    origin = Original(copied.pk, copied.order_id, copied.created_at)
    for alias, model, key in TABLES:
        with _connected(alias) as connection:
            statement = _copying(model, key)
            for first in range(1, sagas, AT_ONCE):
                last = min(sagas - 1, first + AT_ONCE - 1)
                connection.execute(statement, origin.parameters() | {"first": first, "last": last})
    _hold(original, copies=sagas - 1)
    _tidy()


def clear() -> None:
    """Remove these sagas from all databases and release the stock that they hold."""
    mine = SagaInstance.objects.filter(customer_id=CUSTOMER).exclude(pk__range=(FIRST_ID, LAST_ID))
    originals = [each for row in mine.values_list("id", "order_id") for each in row]
    for alias, model, key in reversed(TABLES):
        with _connected(alias) as connection:
            statement = _removal(model, key)
            which = {"first": FIRST_ID, "last": LAST_ID, "originals": originals, "at_once": AT_ONCE}
            while connection.execute(statement, which).rowcount:
                pass
    _tidy()


def sizes() -> dict[str, int]:
    """Return the size of each database in bytes."""
    found = {}
    for alias in dict.fromkeys(alias for alias, _, _ in TABLES):
        with _connected(alias) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            found[alias] = row[0] if row else 0
    return found


def _copying(model: type[Model], key: str) -> str:
    """Build the statement that copies the original's rows for a range of copies."""
    fields = [each for each in model._meta.concrete_fields if not isinstance(each, AutoField | BigAutoField)]
    table, about = f'"{model._meta.db_table}"', "placed" if key == "order_id" else "saga"
    columns = ", ".join(f'"{each.column}"' for each in fields)
    values = ", ".join(map(_value, fields))
    return (
        f"INSERT INTO {table} ({columns}) SELECT {values} FROM ({COPIES}) AS copy, {table} AS original "
        f"WHERE original.{key} = %({about})s"
    )


def _value(field: Any) -> str:
    """Build the SQL of a column of a copy: times are shifted by the copy's age, all ids are replaced."""
    column, kind = f'original."{field.column}"', field.get_internal_type()
    if kind == "DateTimeField":
        return f"{column} + copy.since"
    if kind == "UUIDField" or field.column in ("saga_id", "order_id"):
        return f"CASE {column} WHEN %(saga)s THEN copy.saga WHEN %(placed)s THEN copy.placed ELSE {column} END"
    if field.column in GIVEN:
        return f"{column} || '-' || copy.saga"
    if kind in ("TextField", "JSONField") and field.column not in UNIFORM:
        renamed = f"replace({column}::text, %(saga_text)s, copy.saga::text)"
        return f"replace({renamed}, %(placed_text)s, copy.placed::text)::{'jsonb' if kind == 'JSONField' else 'text'}"
    return column


def _removal(model: type[Model], key: str) -> str:
    """Build the statement that removes copies, and for stock what they hold."""
    table = f'"{model._meta.db_table}"'
    mine = f"{key} BETWEEN %(first)s AND %(last)s OR {key} = ANY(%(originals)s)"
    removal = f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {mine} LIMIT %(at_once)s))"
    if model is not Reservation:
        return removal
    return (
        f"WITH gone AS ({removal} RETURNING sku, quantity, released_at), "
        "held AS (SELECT sku, sum(quantity) AS units FROM gone WHERE released_at IS NULL GROUP BY sku) "
        "UPDATE inventory_stock AS stock SET reserved = reserved - held.units, version = version + 1 "
        "FROM held WHERE stock.sku = held.sku"
    )


def _hold(original: UUID, *, copies: int) -> None:
    """Reserve the stock that the copies' reservations promise."""
    for sku, quantity in Reservation.objects.filter(saga_id=original).values_list("stock_id", "quantity"):
        if copies:
            receive_stock(units_by_sku={sku: copies * quantity})
            Stock.objects.filter(sku=sku).update(reserved=F("reserved") + copies * quantity, version=F("version") + 1)


def _tidy() -> None:
    """Vacuum and analyse the tables now, instead of waiting for autovacuum."""
    for alias, model, _ in TABLES:
        with _connected(alias) as connection:
            connection.execute(f'VACUUM ANALYZE "{model._meta.db_table}"')


@contextmanager
def _connected(alias: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect without Django's pool and statement timeout."""
    with psycopg.connect(**parameters_of(alias), autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")
        yield connection
