"""`manage.py migrate`: several at once end well, with limits of its own, and every failure is one line."""

import os
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings as configured
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as migrate_of_django
from django.db import connections
from django.db.migrations import AddField, AlterModelOptions, Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import Index, IntegerField
from django.db.models.signals import pre_migrate

from config import env
from config.databases import LOCK_KEY, parameters_of
from config.management.commands.migrate import Command, is_concurrent
from deploy.demo import leftovers
from deploy.servers.ports import free_port
from orchestration.db.sessions import MARGIN
from tests.support.processes import ROOT, environment

TOGETHER = 3
NO_URLS = {f"SHOP_{alias.upper()}_DATABASE_URL": "" for alias in env.ALIASES}


@pytest.fixture
def server_url() -> str:
    return str(os.environ.get("SHOP_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432"))


@pytest.fixture
def prefix(server_url: str) -> Iterator[str]:
    """Names of databases that do not exist yet, and are gone afterwards."""
    prefix = f"together{uuid4().hex[:8]}_"
    yield prefix
    leftovers.drop_databases(server_url, prefix=prefix)


def migrate(**settings: str) -> "subprocess.Popen[str]":
    """The command in a process of its own, begun."""
    command = [sys.executable, "-W", "ignore", "manage.py", "migrate", "--create"]
    reported = {**os.environ, **environment(), **NO_URLS, **settings}
    return subprocess.Popen(
        command, cwd=ROOT, env=reported, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )


@pytest.mark.django_db(databases=list(env.ALIASES))
def test_several_that_create_and_migrate_at_once_all_end_well(prefix: str, server_url: str) -> None:
    begun = [migrate(SHOP_DATABASE_PREFIX=prefix, SHOP_POSTGRES_URL=server_url) for _ in range(TOGETHER)]
    printed = [each.communicate(timeout=150)[0] for each in begun]

    assert [each.returncode for each in begun] == [0] * TOGETHER, "\n".join(printed)
    for alias in env.ALIASES:
        assert "".join(printed).count(f"created the database of {alias}\n") == 1
        applied = [line for each in printed for line in each.split("\n") if line.startswith(f"{alias}: ")]
        assert sorted(line == f"{alias}: 0 migrations applied" for line in applied) == [False, True, True]


@pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
def test_a_migration_has_limits_of_its_own_and_leaves_those_of_the_shop(settings) -> None:
    seen = {}

    def look(using: str, **_: object) -> None:
        seen[using] = limits(using)

    before = limits("orders")
    pre_migrate.connect(look)
    try:
        call_command("migrate", database="orders", verbosity=0)
    finally:
        pre_migrate.disconnect(look)
    lock, statement = settings.MIGRATION_LOCK_TIMEOUT_MS, settings.MIGRATION_STATEMENT_TIMEOUT_MS
    assert seen["orders"] == (lock, statement, statement, statement + MARGIN * 1000)
    assert limits("orders") == before != seen["orders"]
    assert before[0] > configured.MIGRATION_LOCK_TIMEOUT_MS


OPTIONS = AlterModelOptions("order", {})
BUILT, REMOVED = AddIndexConcurrently("order", Index(fields=["id"], name="x")), RemoveIndexConcurrently("order", "x")
COLUMN = AddField("order", "x", IntegerField(null=True))


@pytest.mark.parametrize("action", ["apply_start", "unapply_start"])
@pytest.mark.parametrize(
    ("operations", "limit"),
    [([BUILT], "STATEMENT"), ([OPTIONS, REMOVED], "STATEMENT"), ([COLUMN], "LOCK"), ([BUILT, COLUMN], "LOCK")],
    ids=["built", "removed", "column", "both"],
)
@pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
def test_only_what_orders_wait_behind_gives_up_soon(
    settings, action: str, operations: list[Operation], limit: str
) -> None:
    migration = type("OfATest", (Migration,), {"atomic": False, "operations": operations})("0001", "orders")
    seen = []

    def apply(command: Command, *_: object, **__: object) -> None:
        command.verbosity = 0
        command.migration_progress_callback(action, migration)
        seen.append(limits("orders")[0])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(migrate_of_django.Command, "handle", apply)
        call_command("migrate", database="orders", verbosity=0)
    assert seen == [getattr(settings, f"MIGRATION_{limit}_TIMEOUT_MS")]


def test_migrations_outside_a_transaction_only_build_or_remove_indexes() -> None:
    """They may wait for an hour: orders must not wait behind them."""
    every = [each for each in MigrationLoader(None).disk_migrations.values() if not each.atomic]
    assert [each.name for each in every if not is_concurrent(each)] == []
    assert len(every) >= 2


@pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
def test_a_turn_that_does_not_come_is_one_line(settings) -> None:
    settings.MIGRATION_LOCK_WAIT_MS = 100
    with psycopg.connect(**parameters_of("orders"), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [LOCK_KEY])
        with pytest.raises(CommandError, match=r"^database orders \(.*\): another migrate has not ended within 0.1 s$"):
            call_command("migrate", database="orders")
        call_command("migrate", database="orders", plan=True, verbosity=0)  # only looks: it waits for nobody


@pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
def test_a_table_that_stays_locked_is_one_line_in_time(settings) -> None:
    settings.MIGRATION_LOCK_TIMEOUT_MS = 100
    with psycopg.connect(**parameters_of("orders")) as other:
        other.execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(CommandError, match=r"^database orders \(.*\): canceling statement due to lock timeout"):
            call_command("migrate", database="orders")


def test_a_server_that_is_away_is_one_line() -> None:
    nowhere = f"postgres://127.0.0.1:{free_port()}"
    printed, _ = (away := migrate(SHOP_POSTGRES_URL=nowhere)).communicate(timeout=60)
    assert away.returncode == 1
    assert printed.startswith("CommandError: database orchestration (")
    assert "Connection refused" in printed
    assert printed.count("\n") == 1


def limits(alias: str) -> tuple[int, ...]:
    """The timeouts of the alias's session for locks, statements and silence, and the client's, in milliseconds."""
    names = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT name, setting::int FROM pg_settings WHERE name = ANY (%s)", [names])
        found = dict(cursor.fetchall())
    client_s = getattr(connections[alias].connection, "answered_within", 0)
    return (*(found[name] for name in names), int(client_s * 1000))
