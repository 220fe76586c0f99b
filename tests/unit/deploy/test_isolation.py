"""Tests and demonstrations take nothing of a shop's own settings, so they can never call its payment gateway."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config import env
from deploy import supervisor
from deploy.demo.stack import Stack
from deploy.isolation import SERVERS as TAKEN
from deploy.isolation import isolated

LIVE = {
    "SHOP_PAYMENT_GATEWAY": "live.Gateway",
    "SHOP_CARRIER": "live.Carrier",
    "SHOP_DATABASE_PREFIX": "live_",
    "SHOP_QUEUE_PREFIX": "live.",
    "SHOP_PAYMENTS_DATABASE_URL": "postgres://live@127.0.0.1:1/live",
    "SHOP_NO_SUCH_SETTING": "1",
    "CELERY_BROKER_URL": "amqp://127.0.0.1:1//",
    "DJANGO_SETTINGS_MODULE": "live",
    "PGHOST": "live-server",
    "PGOPTIONS": "-c statement_timeout=1",
}
"""What a shop's own configuration could hold; each would be seen by whoever reads it."""
SERVERS = {
    "SHOP_POSTGRES_URL": "postgres://test@127.0.0.1:5432",
    "SHOP_BROKER_URL": "amqp://127.0.0.1:5672//",
    "SHOP_REDIS_URL": "redis://127.0.0.1:6379/9",
}
PROBE = '''"""Seen from inside a test run."""

import subprocess
import sys

import pytest
from django.conf import settings

READ = "from config import env; print(env.read()['PAYMENT_GATEWAY'])"


@pytest.mark.processes
def test_the_gateway_is_the_sandbox() -> None:
    ended = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    assert settings.PAYMENT_GATEWAY == ended.stdout.strip() == "payments.gateways.sandbox.gateway.SandboxGateway"
    assert settings.DATABASES["payments"]["HOST"] == "test-server"
    assert settings.TOPOLOGY.prefix.startswith("test")
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project whose `.env` is a live shop's."""
    left_out = shutil.ignore_patterns(".venv", ".run", ".git", ".env", "__pycache__", ".*_cache")
    copied = Path(shutil.copytree(supervisor.PROJECT, tmp_path / "checkout", ignore=left_out))
    (copied / ".env").write_text("".join(f"{name}={value}\n" for name, value in LIVE.items()))
    return copied


def test_only_the_addresses_of_servers_are_taken() -> None:
    assert isolated(LIVE | SERVERS | {"PATH": "/bin"}) == {
        "PATH": "/bin",
        **SERVERS,
        "SHOP_ENV_FILE": "/dev/null",
    }


def test_the_readme_lists_the_settings_that_are_taken() -> None:
    [reported] = re.findall(
        r"they take only (.*?),\sthe addresses", (supervisor.PROJECT / "README.md").read_text(), re.DOTALL
    )
    assert set(re.findall(r"`(.*?)`", reported)) == SERVERS.keys() == TAKEN


@pytest.mark.processes
@pytest.mark.parametrize("exported", [{}, LIVE], ids=["in the file", "in the environment, too"])
def test_a_test_run_does_not_see_a_live_shop(checkout: Path, exported: dict[str, str]) -> None:
    (checkout / "tests" / "unit" / "test_probe.py").write_text(PROBE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/test_probe.py"]
    reported = {"PATH": os.environ["PATH"], "SHOP_POSTGRES_URL": "postgres://test@test-server:5432", **exported}
    ended = subprocess.run(command, cwd=checkout, env=reported, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_demonstration_does_not_see_a_live_shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (LIVE | SERVERS).items():
        monkeypatch.setenv(name, value)
    reported = Stack(tmp_path).environment
    assert {name: reported[name] for name in SERVERS} == SERVERS
    assert [name for name, value in LIVE.items() if reported.get(name) == value] == []
    assert reported["SHOP_ENV_FILE"] == "/dev/null"


@pytest.mark.processes
def test_a_shell_on_a_demonstration_forgets_the_live_shop(tmp_path: Path) -> None:
    exports = Stack(tmp_path).write_environment()
    reported = {"PATH": os.environ["PATH"], **{name: LIVE[name] for name in ("SHOP_PAYMENT_GATEWAY", "SHOP_CARRIER")}}
    reader = f"{shlex.quote(sys.executable)} -c \"import os; print(*os.environ.values(), sep='\\n')\""
    shell = ["sh", "-c", f". {shlex.quote(str(exports))} && {reader}"]
    seen = subprocess.run(shell, env=reported, capture_output=True, text=True, check=True).stdout.split("\n")
    assert env.FILE_VARIABLE in exports.read_text()
    assert not {"live.Gateway", "live.Carrier"} & set(seen)
