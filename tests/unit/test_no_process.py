"""Tests that do not say that they start processes cannot."""

import os
import subprocess
import sys

import pytest

from tests.support.no_process import ProcessRefused


def test_a_test_of_the_fast_run_can_start_no_process() -> None:
    with pytest.raises(ProcessRefused, match=r"pytest\.mark\.processes"):
        subprocess.run([sys.executable, "-c", ""], check=False)
    with pytest.raises(ProcessRefused):
        os.fork()


@pytest.mark.processes
def test_a_test_that_says_so_starts_one() -> None:
    assert subprocess.run([sys.executable, "-c", ""], check=False).returncode == 0
