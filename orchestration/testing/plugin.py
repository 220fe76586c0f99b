"""A pytest plugin with the fixture `saga_sweep`. It prints the results of the sweeps at the end of the run.

Load it with `pytest_plugins = ["orchestration.testing.plugin"]` in your root conftest.
"""

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.testing.sweep import Sweep, sweep
from orchestration.testing.sweep_table import lines_of

_SWEEPS: pytest.StashKey[list[Sweep]] = pytest.StashKey()


@pytest.fixture
def saga_sweep(pytestconfig: pytest.Config) -> Callable[..., Sweep]:
    """Provide `orchestration.testing.sweep`. Its table is printed at the end of the run."""

    def swept(*args: Any, **options: Any) -> Sweep:
        found = sweep(*args, **options)
        pytestconfig.stash.setdefault(_SWEEPS, []).append(found)
        return found

    return swept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a table of each sweep: how sagas ended, by failpoint."""
    for found in terminalreporter.config.stash.get(_SWEEPS, []):
        terminalreporter.section(f"sweep of {found.definition}")
        for line in lines_of(found):
            terminalreporter.write_line(line)
