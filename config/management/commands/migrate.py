"""`manage.py migrate`: migrates every database, or the one that is named."""

from contextlib import nullcontext
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import DatabaseError, connections
from django.db.migrations import AlterModelOptions, Migration, RunSQL, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder

from config.env import ALIASES
from config.routers import alias_of
from orchestration.text.formatting import one_line

CONCURRENT = (AddIndexConcurrently, RemoveIndexConcurrently)
"""Operations that wait for other transactions to end, while no order waits for them."""


class Command(migrate.Command):
    help = "Migrate every service's database (or one, with --database). --create first creates missing databases."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--create", action="store_true", help="Create databases that do not exist.")
        parser.set_defaults(database=None)
        for action in parser._actions:
            if action.dest == "database":
                action.choices = ALIASES

    def get_check_kwargs(self, options: Any) -> Any:
        return super().get_check_kwargs(options) | {"databases": [options["database"]] if options["database"] else []}

    def handle(self, *args: Any, **options: Any) -> None:
        from config.databases import Busy

        create = options.pop("create")
        for alias in [options["database"]] if options["database"] else ALIASES:
            try:
                if create:
                    self._create(alias)
                self._look_or_migrate(alias, args, options)
            except (Busy, DatabaseError, psycopg.Error) as error:
                if options["traceback"]:
                    raise
                raise CommandError(_reported(alias, error)) from None

    def _look_or_migrate(self, alias: str, args: Any, options: dict[str, Any]) -> None:
        """Migrate this database under its lock. Take no lock if there is nothing to change."""
        from config.databases import check_available, migrating

        check_available(alias)  # without the pool, which would hide the reason
        with nullcontext() if options["plan"] or options["check_unapplied"] else migrating(alias):
            self._migrate(alias, args, options)

    def _migrate(self, alias: str, args: Any, options: dict[str, Any]) -> None:
        self._alias = alias
        before = self._applied(alias)
        quietly = options["verbosity"] == 1 and not (options["plan"] or options["check_unapplied"])
        super().handle(*args, **options | {"database": alias, "verbosity": 0 if quietly else options["verbosity"]})
        if quietly:
            self.stdout.write(f"{alias}: {len(self._applied(alias)) - len(before)} migrations applied")

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        """Let a migration that builds or removes indexes concurrently wait as long as a statement may run.

        It waits for other transactions and blocks no order. If it is stopped, it leaves an invalid index.
        """
        from config.databases import limit_waits

        super().migration_progress_callback(action, migration, fake)
        if action in ("apply_start", "unapply_start"):
            may_wait = is_concurrent(migration)
            limit = settings.MIGRATION_STATEMENT_TIMEOUT_MS if may_wait else settings.MIGRATION_LOCK_TIMEOUT_MS
            limit_waits(self._alias, milliseconds=limit)

    def _applied(self, alias: str) -> set[tuple[str, str]]:
        applied = MigrationRecorder(connections[alias]).applied_migrations()
        return {(app, name) for app, name in applied if alias_of(app) == alias}  # Django records the others as well

    def _create(self, alias: str) -> None:
        from config.databases import create_if_missing

        if create_if_missing(alias):
            self.stdout.write(f"created the database of {alias}")


def is_concurrent(migration: Migration) -> bool:
    """Return whether the migration changes the database only by building or removing indexes concurrently."""
    changes = [each for each in migration.operations if not isinstance(each, AlterModelOptions)]
    return bool(changes) and all(isinstance(each, CONCURRENT) or _is_concurrent_sql(each) for each in changes)


def _is_concurrent_sql(operation: Operation) -> bool:
    """Return whether it changes the database only by such SQL: Django builds no unique index concurrently."""
    if not isinstance(operation, SeparateDatabaseAndState):
        return False
    return all(isinstance(each, RunSQL) and " CONCURRENTLY " in str(each.sql) for each in operation.database_operations)


def _reported(alias: str, error: Exception) -> str:
    hint = "; run it with --create" if "does not exist" in str(error) and "database" in str(error) else ""
    return f"database {alias} ({connections[alias].settings_dict['NAME']}): {one_line(error)}{hint}"
