"""Refuses to start a process in a test that is not marked for it."""

import os
import subprocess
from typing import Any, NoReturn

import pytest


class ProcessRefused(AssertionError):
    """A test of `make test-fast` starts a process: mark it with `pytest.mark.processes`."""


def refuse_processes(patched: pytest.MonkeyPatch) -> None:
    """Make every way to start a process raise `ProcessRefused`."""
    patched.setattr(subprocess.Popen, "__init__", _refuse)
    patched.setattr(subprocess.Popen, "__del__", lambda self: None)  # it uses attributes that `__init__` would have set
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system"):
        patched.setattr(os, name, _refuse)


def _refuse(*arguments: Any, **options: Any) -> NoReturn:
    raise ProcessRefused(ProcessRefused.__doc__)
