"""The work of one order, the same for every peer: five commits in four databases. It needs only psycopg.

An order row, pending; stock taken at the version that was read, with a reservation; a payment; a shipment; the order
confirmed. If the card is declined: the stock is released, the order cancelled.
"""

import os
import struct
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict
from urllib.parse import urlsplit
from uuid import UUID

import psycopg

SERVICES = ("orders", "inventory", "payments", "shipping")
PREFIX = os.environ.get("PEERS_PREFIX", "peers_")
"""Prefix of the name of every peer database."""
UNITS = 1_000_000_000
AMOUNT_MINOR = 1999
RECORD = struct.Struct("<16sdB")
"""The format of `deploy.bench.records`, repeated because importing that needs Celery, which the peers do not have."""
STARTED, COMPLETED, COMPENSATED = 0, 1, 2

SCHEMA = {
    "orders": """
        CREATE TABLE placed (
            id uuid PRIMARY KEY,
            sku integer NOT NULL,
            amount_minor bigint NOT NULL,
            status text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            changed_at timestamptz NOT NULL DEFAULT now())""",
    "inventory": """
        CREATE TABLE stock (
            sku integer PRIMARY KEY,
            available bigint NOT NULL CHECK (available >= 0),
            version bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50);
        CREATE TABLE reservation (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            order_id uuid NOT NULL UNIQUE,
            sku integer NOT NULL,
            status text NOT NULL)""",
    "payments": """
        CREATE TABLE payment (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            key text NOT NULL UNIQUE,
            order_id uuid NOT NULL,
            amount_minor bigint NOT NULL,
            status text NOT NULL)""",
    "shipping": """
        CREATE TABLE shipment (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            key text NOT NULL UNIQUE,
            order_id uuid NOT NULL,
            status text NOT NULL)""",
}


class Order(TypedDict):
    """One order as plain values."""

    id: str
    sku: int
    declined: bool


class Declined(Exception):
    """The card is declined."""


class OutOfStock(Exception):
    """No units are left: a measurement must not run out of stock."""


def url(database: str) -> str:
    """Return the address of one of the databases, on the server that the environment names."""
    return urlsplit(os.environ["PEERS_POSTGRES_URL"])._replace(path=f"/{PREFIX}{database}").geturl()


def drop_databases(*others: str) -> None:
    """Drop every database of the peers."""
    with psycopg.connect(os.environ["PEERS_POSTGRES_URL"], dbname="postgres", autocommit=True) as server:
        for name in (*SERVICES, *others):
            server.execute(f'DROP DATABASE IF EXISTS "{PREFIX}{name}" WITH (FORCE)')


def make_databases(skus: int, *others: str) -> None:
    """Create the databases anew, with plenty of every SKU. `others` are created empty."""
    drop_databases(*others)
    with psycopg.connect(os.environ["PEERS_POSTGRES_URL"], dbname="postgres", autocommit=True) as server:
        for name in (*SERVICES, *others):
            server.execute(f'CREATE DATABASE "{PREFIX}{name}"')
    for name in SERVICES:
        with psycopg.connect(url(name), autocommit=True) as connection:
            connection.execute(SCHEMA[name])
    with psycopg.connect(url("inventory"), autocommit=True) as connection:
        connection.execute("INSERT INTO stock SELECT sku, %s FROM generate_series(0, %s) AS sku", (UNITS, skus - 1))
        connection.execute("VACUUM ANALYZE stock")


def create_order(order: Order) -> None:
    """Insert the order, pending."""
    with _connected("orders") as connection:
        connection.execute(
            "INSERT INTO placed (id, sku, amount_minor, status) VALUES (%s, %s, %s, 'pending')",
            (order["id"], order["sku"], AMOUNT_MINOR),
        )


def reserve_stock(order: Order) -> None:
    """Take one unit at the version that was read. Try again when another transaction was faster."""
    with _connected("inventory") as connection, connection.transaction():
        while not _take_unit(connection, order["sku"]):
            pass
        connection.execute(
            "INSERT INTO reservation (order_id, sku, status) VALUES (%s, %s, 'held')", (order["id"], order["sku"])
        )


def release_stock(order: Order) -> None:
    """Release the unit, once."""
    with _connected("inventory") as connection, connection.transaction():
        released = connection.execute(
            "UPDATE reservation SET status = 'released' WHERE order_id = %s AND status = 'held'", (order["id"],)
        )
        if released.rowcount:
            connection.execute(
                "UPDATE stock SET available = available + 1, version = version + 1 WHERE sku = %s", (order["sku"],)
            )


def take_payment(order: Order) -> None:
    """Insert the payment, taken or declined. :raises Declined: when the card is declined."""
    status = "declined" if order["declined"] else "captured"
    with _connected("payments") as connection:
        connection.execute(
            "INSERT INTO payment (key, order_id, amount_minor, status) VALUES (%s, %s, %s, %s)",
            (f"{order['id']}:payment", order["id"], AMOUNT_MINOR, status),
        )
    if order["declined"]:
        raise Declined(order["id"])


def create_shipment(order: Order) -> None:
    """Insert the shipment."""
    with _connected("shipping") as connection:
        connection.execute(
            "INSERT INTO shipment (key, order_id, status) VALUES (%s, %s, 'booked')",
            (f"{order['id']}:shipment", order["id"]),
        )


def confirm_order(order: Order) -> None:
    """Confirm the order."""
    _decide(order, "confirmed")


def cancel_order(order: Order) -> None:
    """Cancel the order."""
    _decide(order, "cancelled")


def record(order_id: str, what: int, at: float | None = None) -> None:
    """Record an event of an order after its last commit, by a single write that other processes cannot split."""
    global _records
    if _records is None:
        _records = os.open(os.environ["PEERS_RECORDS"], os.O_WRONLY | os.O_APPEND)
    os.write(_records, RECORD.pack(UUID(order_id).bytes, at or time.time(), what))


def _take_unit(connection: psycopg.Connection[Any], sku: int) -> bool:
    row = connection.execute("SELECT available, version FROM stock WHERE sku = %s", (sku,)).fetchone()
    if row is None or row[0] < 1:
        raise OutOfStock(sku)
    taken = connection.execute(
        "UPDATE stock SET available = available - 1, version = version + 1 WHERE sku = %s AND version = %s",
        (sku, row[1]),
    )
    return bool(taken.rowcount)


def _decide(order: Order, status: str) -> None:
    with _connected("orders") as connection:
        connection.execute(
            "UPDATE placed SET status = %s, changed_at = now() WHERE id = %s AND status = 'pending'",
            (status, order["id"]),
        )


_records: int | None = None
_idle: defaultdict[tuple[int, str], deque[psycopg.Connection[Any]]] = defaultdict(deque)
"""Unused connections, by process (a connection must not cross a fork) and database."""


@contextmanager
def _connected(service: str) -> Iterator[psycopg.Connection[Any]]:
    idle = _idle[os.getpid(), service]
    try:
        connection = idle.pop()
    except IndexError:
        connection = psycopg.connect(url(service), autocommit=True)
    try:
        yield connection
    finally:
        if not connection.closed:
            idle.append(connection)
