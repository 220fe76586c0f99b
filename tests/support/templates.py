"""Test databases, copied from templates that are migrated once on a server and used until a migration changes."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.db.backends.postgresql.creation import DatabaseCreation

ROOT = Path(__file__).resolve().parents[2]
APPS = ("orchestration", "inventory", "payments", "shipping", "orders")
PREFIX = "migrated_"
LOCK = 7_316_209
"""Names an advisory lock of the server: one process at a time makes, copies or drops templates."""
IMPORT = re.compile(rf"^(?:from|import) ((?:{'|'.join(APPS)})[\w.]*)", re.MULTILINE)

_migrated = DatabaseCreation.create_test_db


def copy_templates(patched: pytest.MonkeyPatch) -> None:
    """Copy every test database of this process from a template. The template is made when there is none."""
    patched.setattr(DatabaseCreation, "create_test_db", _create_test_db)


def _create_test_db(
    creation: Any, verbosity: int = 1, autoclobber: bool = False, serialize: bool = False, keepdb: bool = False
) -> str:
    if keepdb:
        return str(_migrated(creation, verbosity, autoclobber, serialize, keepdb))
    connection, name = creation.connection, creation._get_test_db_name()
    template = f"{PREFIX}{_digest()}_{connection.alias}"
    connection.close()
    with _server(connection) as server:
        server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template])
        if server.fetchone():
            server.execute(f"DROP DATABASE IF EXISTS {name}")  # left by a killed run whose process had the same number
            server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        else:
            _migrated(creation, verbosity, autoclobber, serialize=False)
            connection.close()
            connection.close_pool()  # a database that is copied may have no other session
            _drop_earlier(server, connection.alias)
            server.execute(f"CREATE DATABASE {template} TEMPLATE {name}")
    settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = name
    connection.ensure_connection()
    return str(name)


@contextmanager
def _server(connection: Any) -> Iterator[Any]:
    """Yield a cursor without a database of its own, while no other process works on templates."""
    with connection._nodb_cursor() as cursor:
        cursor.execute("SET lock_timeout = 0; SET statement_timeout = 0")  # another process may migrate for seconds
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield cursor


def _drop_earlier(server: Any, alias: str) -> None:
    server.execute("SELECT datname FROM pg_database WHERE datname ~ %s", [f"^{PREFIX}[0-9a-f]+_{alias}$"])
    for (earlier,) in server.fetchall():
        server.execute(f"DROP DATABASE {earlier}")


@cache
def _digest() -> str:
    """Hash everything that decides what `migrate` makes: migrations, their imports, models and installed packages."""
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py") if {"migrations", "models"} & _names(path)]
    imported = {cast(str, name) for path in files for name in IMPORT.findall(path.read_text())}
    modules = [ROOT / f"{name.replace('.', '/')}.py" for name in imported]
    every = {*files, *(path for path in modules if path.exists()), *ROOT.glob("requirements*.txt")}
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(every))).hexdigest()[:12]


def _names(path: Path) -> set[str]:
    return {*path.parts, path.stem}
