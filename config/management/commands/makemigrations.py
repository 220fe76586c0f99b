"""`manage.py makemigrations`: writes migrations from models and files alone; no server is needed."""

from typing import Any

from django.core.management.commands import makemigrations
from django.db.migrations.loader import MigrationLoader


class Files(MigrationLoader):
    """The migrations in the files, without access to databases.

    Django would check each database's history for consistency, and wait for databases that are unavailable. `migrate`
    checks that every time, before it changes anything.
    """

    def check_consistent_history(self, connection: Any) -> None:
        """Do nothing: `migrate` checks it."""


class Command(makemigrations.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        makemigrations.MigrationLoader = Files  # type: ignore[misc, attr-defined]  # Django has no other way to choose it
        super().handle(*args, **options)
