"""Fixtures of the whole suite: emptying the databases, and real workers on the real broker and databases."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connections, router
from django.db.models import Model
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings

from config import env
from config.postgresql.base import breaker_of
from orchestration.models import MachineryLogEntry, OperatorLogEntry
from orchestration.participant.breaker_registry import in_use
from tests.support.broker import declare_queues, delete_queues, purge_queues
from tests.support.no_process import refuse_processes
from tests.support.processes import Worker
from tests.support.shop import Shop
from tests.support.templates import copy_templates
from tests.support.workforce import Workforce

settings.register_profile("shop", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no test is timed
settings.load_profile("shop")

pytest_plugins = ["orchestration.testing.plugin"]

KEPT = {"contenttypes", "auth.permission"}
"""Created by migrations and needed by every test."""
APPEND_ONLY = (MachineryLogEntry, OperatorLogEntry)
"""Their tables refuse DELETE."""


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    """Copy test databases from templates that are migrated once on a server, not once in each process of each run:
    seven
    databases take six seconds.
    """
    with pytest.MonkeyPatch.context() as patched:
        copy_templates(patched)
        yield


@pytest.fixture(scope="session", autouse=True)
def emptied_by_deleting() -> Iterator[None]:
    """Delete the few rows that a test leaves: truncating seven databases takes a second a test."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TransactionTestCase, "_fixture_teardown", _delete_rows)
        yield


@pytest.fixture(scope="session", autouse=True)
def passwords_are_hashed_once() -> Iterator[None]:
    """Hash a password in one round instead of a million: each user of a test took half a second. Any process that reads
    the hash finds the number of rounds in it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield


@pytest.fixture(autouse=True)
def starts_no_process(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ensure that the tests of `make test-fast` start no process."""
    if not _is_fast(request.node):
        yield
        return
    with pytest.MonkeyPatch.context() as patched:
        refuse_processes(patched)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test to commit, on every alias, because workers see only committed rows. Put the tests in order.

    Tests with workers go last, those that share one before the others: its recovery would process the sagas that other
    tests leave overdue. Tests that take minutes go first, so that no process is still running one when the others are
    done.
    """
    marker = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
    for item in items:
        if _is_acceptance(item):
            item.add_marker(marker)
    items.sort(key=_turn)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Iterator[Any]:
    """Escape what UTF-8 cannot carry: a report that quotes half a surrogate pair would end the whole run."""
    return _escaped((yield))


def _escaped(reported: Any) -> Any:
    match reported:
        case str():
            return reported.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_escaped(name): _escaped(value) for name, value in reported.items()}
        case list() | tuple():
            return type(reported)(map(_escaped, reported))
        case _:
            return reported


def _turn(item: pytest.Item) -> tuple[bool, bool, bool]:
    takes_minutes = item.get_closest_marker("minutes") is not None
    return not takes_minutes, _is_acceptance(item), "start_worker" in getattr(item, "fixturenames", ())


def _is_fast(item: pytest.Item) -> bool:
    """Return whether `make test-fast` runs the test. The Makefile has the same folders and markers."""
    folders = item.path.relative_to(Path(__file__).parent).parts
    in_folder = folders[0] == "unit" or (folders[:2] == ("integration", "participant") and folders[2] != "breaker")
    return in_folder and not any(item.get_closest_marker(name) for name in ("processes", "servers"))


def _is_acceptance(item: pytest.Item) -> bool:
    return bool({"acceptance", "faults"} & set(item.path.parts))


@pytest.fixture(scope="session")
def workforce(django_db_setup: None) -> Iterator[Workforce]:
    """Create this run's queues before anything is published. Afterwards stop every worker and delete the queues."""
    declare_queues()
    workforce = Workforce()
    yield workforce
    workforce.close()
    delete_queues()


@pytest.fixture(scope="module", autouse=True)
def pools_are_emptied(django_db_blocker: Any) -> Iterator[None]:
    """Close connections and breakers after each module: several processes share the server's hundred connections."""
    yield
    for alias in env.ALIASES:
        breaker_of(alias).close()
    with django_db_blocker.unblock():
        for connection in connections.all(initialized_only=True):
            if connection.vendor == "postgresql":
                connection.close()
                cast(Any, connection).close_pool()


@pytest.fixture
def clean_slate(transactional_db: None, workforce: Workforce) -> Iterator[None]:
    """Purge the queues before a test, since tests without workers leave messages. Afterwards close breakers, too."""
    purge_queues()
    yield
    try:
        workforce.wait_until_quiet()
    finally:
        workforce.stop_private()
        purge_queues()
        close_breakers()


@pytest.fixture
def shared_worker(workforce: Workforce, clean_slate: None) -> Worker:
    """Return a worker for all queues that lives as long as the run. Do not kill it: use `start_worker`."""
    return workforce.shared()


@pytest.fixture
def start_worker(workforce: Workforce, clean_slate: None, settings) -> Callable[..., Worker]:
    """Return a function that starts private workers. They end with the test, and soon check for messages that may be
    lost.

    The shared worker is stopped first: what is placed before the first private worker starts waits for it.
    """
    workforce.stop_shared()
    settings.PRESUMED_LOST_AFTER = timedelta(seconds=2)
    settings.MARKER_PERIOD = settings.PRESUMED_LOST_AFTER / 2
    settings.MARKER_HEAD_START = settings.PRESUMED_LOST_AFTER / 3
    return workforce.start


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    """Return a shop with a thousand mugs."""
    shop = Shop()
    shop.stock()
    return shop


@pytest.fixture
def audited(workforce: Workforce, clean_slate: None) -> Iterator[None]:
    """Check after the test that the audit finds no violation, once all sagas have ended and no work is left."""
    from orchestration.operators.audit.violations import violations

    yield
    workforce.wait_until_quiet()
    assert violations() == []


def close_breakers() -> None:
    """Close the breakers of gateway and carrier."""
    for breaker in in_use().values():
        breaker.close()


def _delete_rows(case: Any) -> None:
    for alias in case._databases_names(include_mirrors=False):
        with connections[alias].cursor() as cursor:
            cursor.execute(_emptying(alias))


@cache
def _emptying(alias: str) -> str:
    """Build the statements that empty a database in one round trip and one transaction, at whose end references are
    checked.

    A table whose rows must not be deleted is truncated, and only if it has any: that takes longer than all the rest.
    """
    models = [model for model in apps.get_models(include_auto_created=True) if _is_emptied(model, alias)]
    tables = {model: connections[alias].ops.quote_name(model._meta.db_table) for model in models}
    truncated = [tables[model] for model in models if model in APPEND_ONLY]
    deleted = [tables[model] for model in models if model not in APPEND_ONLY]
    return "; ".join(
        [f"DO $$BEGIN IF EXISTS (SELECT FROM {it}) THEN TRUNCATE {it} CASCADE; END IF; END$$" for it in truncated]
        + [f"DELETE FROM {it}" for it in deleted]
    )


def _is_emptied(model: type[Model], alias: str) -> bool:
    return bool(router.allow_migrate_model(alias, model)) and model._meta.managed and not _is_kept(model)


def _is_kept(model: type[Model]) -> bool:
    return bool({model._meta.app_label, model._meta.label_lower} & KEPT)
