"""What every test of telemetry needs: sources that are asked anew, and a shop that committed what it did."""

import pytest

from config import env, probes
from orchestration.telemetry.prometheus_text import exposition


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marker = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
    for item in items:
        if "telemetry" in item.path.parts:
            item.add_marker(marker)


@pytest.fixture(autouse=True)
def asked_anew():
    """No answer is kept from another test."""
    exposition.cache_clear()
    probes._checks.cache_clear()
