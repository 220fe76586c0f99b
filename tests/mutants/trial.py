"""The trial of one mutant: change a copy of the code, run the test that must catch it, and judge by its report."""

import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.isolation import isolated

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".run", "__pycache__", ".*_cache", ".hypothesis")
LIMIT_SECONDS = 300.0
TIME_LIMIT = "from pytest-timeout"
"""Text of pytest-timeout in the failure of a test that it ended."""


class Verdict(StrEnum):
    """The result of a mutant. Only the first one means that the rule is tested."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    TOO_LONG = "TOO LONG"
    NO_TEST = "NO TEST RAN"
    NOT_THERE = "NOT THERE"


@dataclass(frozen=True)
class Mutant:
    """A rule, and the file in which replacing `old` by `new` breaks it."""

    breaks: str
    file: str
    old: str
    new: str
    caught_by: str


def problem_of(mutant: Mutant, root: Path = ROOT) -> str | None:
    """Explain why the mutant cannot be applied to the code under `root`. Return None when it can."""
    source = (root / mutant.file).read_text()
    if (places := source.count(mutant.old)) != 1:
        return f"what it changes is {places} times in {mutant.file}"
    if mutant.old == mutant.new:
        return "it changes nothing"
    try:
        compile(source.replace(mutant.old, mutant.new), mutant.file, "exec")
    except SyntaxError as error:
        return f"what it makes of {mutant.file} is not Python: {error}"
    return None


def try_out(mutant: Mutant, root: Path = ROOT, limit_seconds: float = LIMIT_SECONDS) -> Verdict:
    """Apply the mutant to a copy of `root` and run its test there."""
    if problem_of(mutant, root):
        return Verdict.NOT_THERE
    with TemporaryDirectory() as directory:
        broken = Path(directory) / "broken"
        shutil.copytree(root, broken, ignore=LEFT_OUT)
        file = broken / mutant.file
        file.write_text(file.read_text().replace(mutant.old, mutant.new))
        return run(broken, [mutant.caught_by], limit_seconds)


def run(tree: Path, tests: Sequence[str], limit_seconds: float = LIMIT_SECONDS) -> Verdict:
    """Run the tests in this tree until one fails, and judge by their report. No process that they started is left."""
    report = tree / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"--junit-xml={report}", *tests]
    null = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=tree, env=_environment(), stdin=null, stdout=null, stderr=null, start_new_session=True
    )
    try:
        process.wait(limit_seconds)
    except subprocess.TimeoutExpired:
        return Verdict.TOO_LONG
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return judge(report.read_text()) if report.exists() else Verdict.NO_TEST


def judge(report: str) -> Verdict:
    """Judge pytest's report in JUnit's format.

    A mutant is caught by a test that failed: not by an error before or after a test, nor by a test's time limit.
    """
    cases = list(ElementTree.fromstring(report).iter("testcase"))
    failures = [failure for case in cases for failure in case.iter("failure")]
    if any(TIME_LIMIT in (failure.get("message") or "") for failure in failures):
        return Verdict.TOO_LONG
    if failures:
        return Verdict.CAUGHT
    has_error = any(case.find("error") is not None for case in cases)
    return Verdict.NO_TEST if has_error or all(case.find("skipped") is not None for case in cases) else Verdict.SURVIVED


def _environment() -> dict[str, str]:
    """Return this process's environment without the variables of the test run in which it runs."""
    return {name: text for name, text in isolated(os.environ).items() if not name.startswith("PYTEST_")}
