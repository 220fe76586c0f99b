"""`make demo`, with fewer orders: it ends well by itself, and leaves nothing running however it ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from deploy import supervisor
from deploy.servers.processes import wait_until

pytestmark = [pytest.mark.minutes, pytest.mark.servers, pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-m", "deploy.guard", sys.executable, "-m", "deploy.demo"]


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A copy of the project, so that a demonstration of the developer's own goes on undisturbed."""
    left_out = shutil.ignore_patterns(".venv", ".run", ".git", "tests", "__pycache__", ".*_cache")
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)  # else root's PostgreSQL, which runs as somebody else, keeps its files elsewhere
        yield Path(shutil.copytree(supervisor.PROJECT, Path(directory) / "checkout", ignore=left_out))


def test_the_demonstration_ends_well_by_itself_though_web_listens_late(checkout: Path) -> None:
    webserver = checkout / "deploy" / "webserver.py"
    webserver.write_text(f"{webserver.read_text()}\nimport time\n\ntime.sleep(10)\n")
    done = subprocess.run(COMMAND, cwd=checkout, env=_environment(DEMO_EXIT="1"), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed: card_declined" in done.stdout
    assert "failed: out_of_stock" in done.stdout
    assert re.search(r"carrier timeout\s+confirmed", done.stdout)
    assert re.search(r"SIGKILL: the payments worker, pid (\d+); the supervisor started pid (?!\1)", done.stdout)
    assert re.search(r"capture refused\s+confirmed", done.stdout)
    assert "the books agree" in done.stdout
    assert "left to you: 1 of the orders" in done.stdout
    assert "until then `manage.py audit` names 1 and ends with exit code 4" in done.stdout
    assert ". .run/demo/environment && " in done.stdout
    assert not (checkout / ".run" / "demo" / "environment").exists()
    assert _processes_of(checkout) == []


def test_a_demonstration_that_is_interrupted_leaves_nothing_running(checkout: Path) -> None:
    with _started(checkout) as guard:
        guard.send_signal(signal.SIGINT)
        guard.wait(timeout=60)
    assert _processes_of(checkout) == []


def test_a_demonstration_that_is_killed_leaves_nothing_running(checkout: Path) -> None:
    with _started(checkout) as guard:
        [demo] = [child for child in psutil.Process(guard.pid).children() if "deploy.demo" in _command(child)]
        demo.kill()
        guard.wait(timeout=30)
    assert _processes_of(checkout) == []


@contextmanager
def _started(checkout: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A demonstration whose processes all run."""
    with subprocess.Popen(COMMAND, cwd=checkout, env=_environment(), stdout=subprocess.DEVNULL) as guard:
        log = checkout / ".run" / "demo" / "supervisord.log"
        wait_until(
            lambda: guard.poll() is not None or (log.exists() and "payments entered RUNNING" in log.read_text()),
            seconds=120,
            what="start of the demonstration",
        )
        assert guard.poll() is None
        yield guard


def _environment(**more: str) -> dict[str, str]:
    """An environment that configures no server, as on a bare machine."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SHOP_", "DJANGO_"))}
    return {**inherited, "DEMO_ORDERS": "60", **more}


def _processes_of(checkout: Path) -> list[str]:
    """Every process that was started for a demonstration in that directory, servers included."""
    return [" ".join(_command(process)) for process in psutil.process_iter() if _belongs(process, checkout)]


def _belongs(process: psutil.Process, checkout: Path) -> bool:
    try:
        return str(checkout) in f"{process.cwd()} {' '.join(process.cmdline())}"
    except psutil.Error:  # it ended meanwhile, or is not ours to look at
        return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
