"""The environment of tests, demonstrations and comparisons: it takes nothing of a shop's own settings."""

import os
from collections.abc import Mapping

from config.env import FILE_VARIABLE, PREFIX
from deploy.servers.services import SERVICES

SERVERS = frozenset(service.variable for service in SERVICES)
"""The only settings that they take: those that name test servers."""
FOREIGN = (PREFIX, "CELERY_", "DJANGO_", "FLOWER_", "OTEL_", "WEB_", "WORKER_")
"""Variables by which a shop's processes are configured. CELERY_BROKER_URL would replace the broker of every setting."""
NO_FILE = "/dev/null"


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment without a shop's settings; processes started in it do not read `.env` either."""
    kept = {name: value for name, value in environment.items() if name in SERVERS or not name.startswith(FOREIGN)}
    return kept | {FILE_VARIABLE: NO_FILE}


def isolate() -> None:
    """Make the environment of this process, and of those that it starts, an isolated one."""
    kept = isolated(os.environ)
    os.environ.clear()
    os.environ.update(kept)
