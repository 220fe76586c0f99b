"""`python -m deploy.guard COMMAND…`: runs a command and, however it ends, leaves none of its processes behind."""

import ctypes
import os
import signal
import subprocess
import sys

from deploy.servers.processes import ProcessId, kill_trees, tree

# prctl(2)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(command: list[str]) -> int:
    """Run the command and return its exit code. Signals that end this process are forwarded to the command."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        child = subprocess.Popen(command, preexec_fn=_end_with_parent, start_new_session=True)
        for signum in FORWARDED:
            signal.signal(signum, lambda number, _frame: child.send_signal(number))
        return _exit_code(_wait_for(child.pid))
    finally:
        kill_trees(_orphans())


def _wait_for(pid: int) -> int:
    """Wait for one child and return its exit status. Orphans that end before it are reaped."""
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _orphans() -> list[ProcessId]:
    """List the processes that the command left. A subreaper inherits every descendant whose own parent has ended."""
    return tree(ProcessId.of(os.getpid()))[1:]


def _end_with_parent() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _exit_code(returncode: int) -> int:
    """Return the exit code that a shell shows for a process ended by a signal."""
    return returncode if returncode >= 0 else 128 - returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
