"""What every test shares: how the databases are emptied."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import router, transaction
from django.db.models import Model
from django.test import TransactionTestCase

KEPT = {"contenttypes", "auth.permission"}
"""Made by migrations, needed by all."""


@pytest.fixture(scope="session", autouse=True)
def emptied_by_deleting() -> Iterator[None]:
    """Delete the few rows that a test leaves: truncating seven databases takes a second a test."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", _delete_rows)
        yield


def _delete_rows(case: Any) -> None:
    for alias in case._databases_names(include_mirrors=False):
        with transaction.atomic(using=alias):  # references are checked at its end
            for model in apps.get_models(include_auto_created=True):
                if router.allow_migrate_model(alias, model) and model._meta.managed and not _is_kept(model):
                    model._default_manager.using(alias).all()._raw_delete(alias)


def _is_kept(model: type[Model]) -> bool:
    return bool({model._meta.app_label, model._meta.label_lower} & KEPT)
