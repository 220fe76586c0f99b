"""`manage.py migrate`: every database, unless one is named."""

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from config.env import ALIASES
from config.routers import alias_of


class Command(migrate.Command):
    help = "Bring every service's database up to date (or one, with --database); --create makes missing ones first."

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
        create = options.pop("create")
        aliases = [options["database"]] if options["database"] else ALIASES
        for alias in aliases:
            if create:
                self._create(alias)
            self._migrate(alias, args, options)

    def _migrate(self, alias: str, args: Any, options: dict[str, Any]) -> None:
        before = self._applied(alias)
        quietly = options["verbosity"] == 1 and not (options["plan"] or options["check_unapplied"])
        super().handle(*args, **options | {"database": alias, "verbosity": 0 if quietly else options["verbosity"]})
        if quietly:
            self.stdout.write(f"{alias}: {len(self._applied(alias)) - len(before)} migrations applied")

    def _applied(self, alias: str) -> set[tuple[str, str]]:
        applied = MigrationRecorder(connections[alias]).applied_migrations()
        return {(app, name) for app, name in applied if alias_of(app) == alias}  # Django records the others as well

    def _create(self, alias: str) -> None:
        from config.databases import create_if_missing

        if create_if_missing(alias):
            self.stdout.write(f"created the database of {alias}")
