"""A minute of chaos; the length of `make chaos` is an option."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.chaos.report import lines_of
from tests.chaos.run import run

SEED = 7


@pytest.mark.minutes
@pytest.mark.servers
@pytest.mark.timeout(700)
def test_a_shop_comes_through_a_minute_of_chaos(capsys):
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    directory.chmod(0o755)  # PostgreSQL runs under another account
    report = run(minutes=1, seed=SEED, directory=directory, shorten_waits=True)

    with capsys.disabled():
        print("", *lines_of(report), sep="\n")
    assert report.wrong == []
    assert len(report.evidence) >= 8
    assert sum(report.ends.values()) >= 100
    shutil.rmtree(directory, ignore_errors=True)
