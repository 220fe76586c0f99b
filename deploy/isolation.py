"""The environment of tests, demonstrations and comparisons, without a shop's own settings."""

import os
from collections.abc import Mapping

from config.env import FILE_VARIABLE, PREFIX
from deploy.servers.services import SERVICES

SERVERS = frozenset(service.variable for service in SERVICES)
"""The only settings that are kept: the addresses of test servers."""
FOREIGN = (PREFIX, "CELERY_", "DJANGO_", "FLOWER_", "OTEL_", "PG", "WEB_", "WORKER_")
"""Prefixes of the variables that configure a shop's processes. CELERY_BROKER_URL overrides the broker's setting.

libpq reads PG… for what an address leaves out.
"""
NO_FILE = "/dev/null"


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without a shop's settings. Processes started in it do not read `.env` either."""
    kept = {name: value for name, value in environment.items() if name in SERVERS or not name.startswith(FOREIGN)}
    return kept | {FILE_VARIABLE: NO_FILE}


def isolate() -> None:
    """Replace the environment of this process, and so of processes that it starts, with an isolated one."""
    kept = isolated(os.environ)
    os.environ.clear()
    os.environ.update(kept)
