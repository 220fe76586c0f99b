"""The server side of the databases: whether they are there, and making them."""

from django.db import connections
from psycopg import connect, sql
from psycopg.errors import DuplicateDatabase


def create_if_missing(alias: str) -> bool:
    """Create the alias's database; False when it is there already."""
    parameters = connections[alias].get_connection_params()
    name = parameters["dbname"]
    server = {key: parameters[key] for key in ("host", "port", "user", "password") if parameters.get(key)}
    with connect(**server, dbname="postgres", autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except DuplicateDatabase:
            return False
    return True
