"""The guard: however a command ends, no process of it stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.servers.processes import ProcessId, wait_until

SCRIPT = """
import pathlib, subprocess, sys, time
stray = subprocess.Popen(["sleep", "600"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(stray.pid))
while len(sys.argv) > 2:
    time.sleep(60)
sys.exit(7)
"""


@pytest.mark.processes
def test_the_exit_code_is_the_commands_and_its_strays_are_ended(tmp_path: Path) -> None:
    guarded = subprocess.run(_guarded(tmp_path), check=False)
    assert guarded.returncode == 7
    assert not _stray(tmp_path).is_alive()


@pytest.mark.processes
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_and_its_strays(tmp_path: Path, signum: signal.Signals) -> None:
    with _running(tmp_path) as guard:
        stray = _stray(tmp_path)
        guard.send_signal(signum)
        assert guard.wait(timeout=10) != 0
    assert not stray.is_alive()


@pytest.mark.processes
def test_a_command_that_is_killed_leaves_no_stray(tmp_path: Path) -> None:
    with _running(tmp_path) as guard:
        stray = _stray(tmp_path)
        children = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        assert guard.wait(timeout=10) == 128 + signal.SIGKILL
    assert not stray.is_alive()


@pytest.mark.processes
def test_a_command_whose_guard_is_killed_is_asked_to_end(tmp_path: Path) -> None:
    with _running(tmp_path) as guard:
        child = ProcessId.of(int(Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text().split()[0]))
        stray = _stray(tmp_path)
        guard.kill()
        wait_until(lambda: not child.is_alive(), seconds=10, what="end of the command")
        stray.send(signal.SIGKILL)


@contextmanager
def _running(directory: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(_guarded(directory, "wait"), preexec_fn=_heed_signals) as guard:
        pid_file = directory / "pid"
        try:
            wait_until(lambda: pid_file.exists() and pid_file.read_text() != "", seconds=10, what="the guarded command")
            yield guard
        finally:
            guard.kill()  # a test that fails waits for nobody


def _heed_signals() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests under nohup has it ignored
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # so has a shell's background job this one


def _guarded(directory: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "deploy.guard", sys.executable, "-c", SCRIPT, str(directory / "pid"), *more]


def _stray(directory: Path) -> ProcessId:
    pid = int((directory / "pid").read_text())
    try:
        return ProcessId.of(pid)
    except ProcessLookupError:
        return ProcessId(pid, started_ticks=-1)
