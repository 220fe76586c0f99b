"""The database router: a model is stored under the alias of its app's label, or else with orchestration."""

from typing import Any

from django.conf import settings

HOME_OF_DJANGO = "orchestration"
"""The alias of Django's own tables and those of packages."""


def alias_of(app_label: str) -> str:
    """Return the database alias of an app."""
    return app_label if app_label in settings.DATABASES and app_label != "default" else HOME_OF_DJANGO


class AppLabelRouter:
    """Routes each model to its app's database and allows no relation between databases."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return alias_of(model._meta.app_label)

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return alias_of(model._meta.app_label)

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return alias_of(first._meta.app_label) == alias_of(second._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == alias_of(app_label)
