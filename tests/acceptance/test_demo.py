"""`make demo`, with fewer orders: it ends well by itself, and leaves nothing running however it ends."""

import fcntl
import hashlib
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

RABBITMQ_ELSEWHERE = {
    "deploy/servers/rabbitmq.py": ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/nowhere/rabbitmq-server"),
    "deploy/servers/services.py": ("guest:guest@{LOOPBACK}:5672//", "guest:guest@{LOOPBACK}:1//"),
}
"""Where a copy of the project looks for a RabbitMQ in vain, though this machine may have one."""


@pytest.fixture(scope="session")
def python_of_users() -> Path:
    """The Python of an environment made of the demonstration's requirements alone, kept while they are the same."""
    files = [supervisor.PROJECT / name for name in ("requirements-demo.txt", "requirements.txt", "deploy/make_venv")]
    contents = b"".join(file.read_bytes() for file in files) + sys.version.encode()
    venv = supervisor.PROJECT / ".run" / "demo-venvs" / hashlib.sha256(contents).hexdigest()[:12]
    venv.parent.mkdir(parents=True, exist_ok=True)
    with (venv.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / "complete").exists():
            environment = {**os.environ, "PYTHON": sys.executable}
            subprocess.run([files[2], venv, files[0]], env=environment, cwd=supervisor.PROJECT, check=True)
            (venv / "complete").touch()
    return venv / "bin" / "python"


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
    done = subprocess.run(_command(), cwd=checkout, env=_environment(DEMO_EXIT="1"), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed: card_declined" in done.stdout
    assert "failed: out_of_stock" in done.stdout
    assert re.search(r"carrier timeout\s+confirmed", done.stdout)
    assert re.search(r"SIGKILL: the payments worker, pid (\d+); the supervisor started pid (?!\1)", done.stdout)
    assert re.search(r"capture refused\s+confirmed", done.stdout)
    assert "one dispatched by staff: confirmed, one refunded in part by staff: confirmed" in done.stdout
    assert "one cancelled by its customer: confirmed" in done.stdout
    assert "the books agree" in done.stdout
    assert "left to you: 1 parked order:" in done.stdout
    assert "until then `manage.py audit` reports 1 parked order and ends with exit code 4" in done.stdout
    assert len(set(re.findall(r"Authorization: Token (\w+)", done.stdout))) == 2  # a customer's and a staff account's
    assert ". .run/demo/environment && " in done.stdout
    assert not (checkout / ".run" / "demo" / "environment").exists()
    assert _processes_of(checkout) == []


def test_the_demonstration_needs_neither_rabbitmq_nor_the_developers_packages(
    checkout: Path, python_of_users: Path
) -> None:
    for name, (here, elsewhere) in RABBITMQ_ELSEWHERE.items():
        source = (checkout / name).read_text()
        assert here in source
        (checkout / name).write_text(source.replace(here, elsewhere))
    (checkout / ".env").write_text("SHOP_PAYMENT_GATEWAY=live.Gateway\nSHOP_NO_SUCH_SETTING=1\n")
    environment = _environment(DEMO_EXIT="1", DEMO_ORDERS="20", PATH=f"{python_of_users.parent}:/usr/bin:/bin")
    done = subprocess.run(
        _command(python_of_users), cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no RabbitMQ here: Valkey carries the messages" in done.stdout
    assert "20 orders decided" in done.stdout
    assert "SIGKILL: the payments worker" in done.stdout
    assert "the books agree" in done.stdout
    assert _processes_of(checkout) == []


def test_a_demonstration_that_is_interrupted_leaves_nothing_running(checkout: Path) -> None:
    with _started(checkout) as guard:
        guard.send_signal(signal.SIGINT)
        guard.wait(timeout=60)
    assert _processes_of(checkout) == []


def test_a_demonstration_that_is_killed_leaves_nothing_running(checkout: Path) -> None:
    with _started(checkout) as guard:
        [demo] = [child for child in psutil.Process(guard.pid).children() if "deploy.demo" in _arguments(child)]
        demo.kill()
        guard.wait(timeout=30)
    assert _processes_of(checkout) == []


def _command(python: str | Path = sys.executable) -> list[str]:
    return [str(python), "-m", "deploy.guard", str(python), "-m", "deploy.demo"]


@contextmanager
def _started(checkout: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A demonstration whose processes all run."""
    with subprocess.Popen(_command(), cwd=checkout, env=_environment(), stdout=subprocess.DEVNULL) as guard:
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
    return [" ".join(_arguments(process)) for process in psutil.process_iter() if _belongs(process, checkout)]


def _belongs(process: psutil.Process, checkout: Path) -> bool:
    try:
        return str(checkout) in f"{process.cwd()} {' '.join(process.cmdline())}"
    except psutil.Error:  # it ended meanwhile, or is not ours to look at
        return False


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
