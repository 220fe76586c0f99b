"""`make mutants`: break the protocol one rule at a time, and see the named test fail each time."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = Path(__file__).with_name("mutants.toml")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".run", "__pycache__", ".*_cache", ".hypothesis")
LIMIT_SECONDS = 300
FAILED = 1
"""What pytest ends with when tests failed; an error of any other kind has caught nothing."""


@dataclass(frozen=True)
class Mutant:
    """A rule, and the file in which `old` becomes `new` so that it does not hold any more."""

    breaks: str
    file: str
    old: str
    new: str
    caught_by: str


def mutants() -> list[Mutant]:
    """Those in the file beside this one."""
    return [Mutant(**each) for each in tomllib.loads(MUTANTS.read_text())["mutant"]]


def main() -> int:
    chosen = [mutant for mutant in mutants() if _arguments().words in mutant.breaks]
    with tempfile.TemporaryDirectory() as directory:
        healthy = _copy(Path(directory) / "healthy")
        tests = sorted({mutant.caught_by for mutant in chosen})
        if code := _run(healthy, tests):
            print(f"the tests do not pass on the code as it is (pytest ended with {code})")
            return 1
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            verdicts = list(pool.map(lambda numbered: _try(Path(directory), *numbered), enumerate(chosen)))
    caught = sum(verdicts)
    print(f"{caught} of {len(chosen)} mutants caught by their tests")
    return 0 if caught == len(chosen) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="?", default="", help="only mutants whose description has these words")
    return parser.parse_args()


def _try(directory: Path, number: int, mutant: Mutant) -> bool:
    broken = _copy(directory / str(number))
    file = broken / mutant.file
    source = file.read_text()
    if source.count(mutant.old) != 1:
        print(f"NOT THERE  {mutant.breaks}: what it changes is {source.count(mutant.old)} times in {mutant.file}")
        return False
    file.write_text(source.replace(mutant.old, mutant.new))
    code = _run(broken, [mutant.caught_by])
    shutil.rmtree(broken)
    print(f"{'caught' if code == FAILED else f'SURVIVED ({code})'}  {mutant.breaks}  [{mutant.caught_by}]", flush=True)
    return code == FAILED


def _copy(target: Path) -> Path:
    shutil.copytree(ROOT, target, ignore=LEFT_OUT)
    return target


def _run(tree: Path, tests: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return FAILED  # what goes on for ever has not passed
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
