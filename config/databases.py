"""The server side of the databases: whether they are there, and making them."""

from typing import Any

from django.db import connections
from psycopg import connect, pq, sql
from psycopg.errors import DuplicateDatabase


def create_if_missing(alias: str) -> bool:
    """Create the alias's database; False when it is there already."""
    name = str(parameters_of(alias)["dbname"])
    with connect(**parameters_of(alias) | {"dbname": "postgres"}, autocommit=True) as connection:
        connection.execute("SET statement_timeout = 0")  # a copy of a template takes what it takes
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except DuplicateDatabase:
            return False
    return True


def refuse_if_away(alias: str) -> None:
    """:raises psycopg.Error: saying why the alias's database cannot be used."""
    connect(**parameters_of(alias)).close()


def parameters_of(alias: str) -> dict[str, Any]:
    """Give what libpq needs to reach the alias's database as the shop does: all that its URL and settings say."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    return {name: value for name, value in connections[alias].get_connection_params().items() if name in known}
