"""`make chaos`: random faults on a whole shop of real processes for some minutes; exit code 1 if anything is wrong."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import tests.environment  # noqa: F401  before anything reads it
from tests.chaos.report import as_json, lines_of
from tests.chaos.run import run


def main() -> int:
    asked = _arguments()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    directory.chmod(0o755)  # PostgreSQL runs under another account
    print(f"seed {asked.seed}; logs in {directory}", flush=True)
    report = run(minutes=asked.minutes, seed=asked.seed, directory=directory)
    print("\n".join(lines_of(report)))
    if asked.json:
        asked.json.write_text(as_json(report))
    if not report.wrong:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if report.wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--json", type=Path, help="write the report there as well")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
