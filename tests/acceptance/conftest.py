"""Fixtures of tests that run real workers over the real broker and databases."""

from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.conf import settings

from config import env
from tests.support.processes import Worker, delete_queues
from tests.support.shop import Shop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers see committed data only, so every test here commits, on every alias."""
    marker = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
    for item in items:
        if "/acceptance/" in str(item.path):
            item.add_marker(marker)


@pytest.fixture(scope="session")
def queues(django_db_setup: None) -> Iterator[None]:
    """This run's queues, made before anything is published and deleted at the end."""
    with current_app.connection_for_write() as connection:
        settings.TOPOLOGY.declare(connection)
    yield
    delete_queues()


@pytest.fixture(scope="session")
def shared_worker(queues: None) -> Iterator[Worker]:
    """One worker for all queues that lives as long as the run. Do not kill it: use `start_worker`."""
    worker = Worker(threads=8)
    yield worker
    worker.stop()


@pytest.fixture
def start_worker(queues: None) -> Iterator[Callable[..., Worker]]:
    """Start private workers, which end with the test. The shared one must not be running: it would take their work."""
    started: list[Worker] = []

    def start(*args, **kwargs) -> Worker:
        started.append(Worker(*args, **kwargs))
        return started[-1]

    yield start
    for worker in started:
        worker.stop()


@pytest.fixture
def shop(db: None) -> Shop:
    """A shop with a thousand mugs."""
    shop = Shop()
    shop.stock()
    return shop


@pytest.fixture
def audited(transactional_db: None) -> Iterator[None]:
    """After the test, when all sagas have ended: the books agree."""
    from config.audit import violations

    yield
    assert violations() == []
