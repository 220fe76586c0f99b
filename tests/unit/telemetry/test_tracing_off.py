"""Without SHOP_TRACES nothing of OpenTelemetry is loaded, and with it but without the packages the start says so."""

import subprocess
import sys

import pytest

from config import env_values
from deploy.supervisor import PROJECT

STARTED_WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
import config.wsgi, config.urls
print([name for name in sys.modules if name.startswith("orchestration.telemetry.") and "trac" in name])
"""


@pytest.mark.processes
def test_a_process_starts_without_the_packages_while_tracing_is_off() -> None:
    command = [sys.executable, "-c", STARTED_WITHOUT]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tracing_without_its_packages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env_values, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install -r requirements-otel"):
        env_values.traces("otlp")


@pytest.mark.parametrize("text", ["jaeger", "file:relative/path", "/no/scheme/but/a/path"])
def test_what_is_no_place_for_traces_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither otlp nor file:"):
        env_values.traces(text)
