"""The server side of the databases: whether they are there, and making them."""

from typing import Any

from django.db import connections
from psycopg import connect, sql
from psycopg.errors import DuplicateDatabase

CONNECT_TIMEOUT_S = 5


def create_if_missing(alias: str) -> bool:
    """Create the alias's database; False when it is there already."""
    name, server = _place(alias)
    with connect(**server, dbname="postgres", autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except DuplicateDatabase:
            return False
    return True


def refuse_if_away(alias: str) -> None:
    """:raises psycopg.Error: saying why the alias's database cannot be used."""
    name, server = _place(alias)
    connect(**server, dbname=name, connect_timeout=CONNECT_TIMEOUT_S).close()


def _place(alias: str) -> tuple[str, dict[str, Any]]:
    parameters = connections[alias].get_connection_params()
    server = {key: parameters[key] for key in ("host", "port", "user", "password") if parameters.get(key)}
    return parameters["dbname"], server
