"""`make mutants`: breaks the protocol one rule at a time, and checks that the named test fails each time."""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import tests.environment  # noqa: F401  before anything reads it
from tests.mutants.catalogue import mutants
from tests.mutants.trial import LEFT_OUT, ROOT, Mutant, Verdict, problem_of, run, try_out


def main() -> int:
    """Try the chosen mutants and return the exit code: 0 when every one of them was caught."""
    words = _arguments().words
    chosen = [mutant for mutant in mutants() if words in mutant.breaks]
    if not chosen:
        print(f"there is no mutant with {words!r} in its description")
        return 1
    if (healthy := _run_unbroken(chosen)) != Verdict.SURVIVED:
        print(f"the tests do not pass on the code as it is ({healthy})")
        return 1
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(pool.map(_reported, chosen))
    caught = verdicts.count(Verdict.CAUGHT)
    print(f"{caught} of {len(chosen)} mutants caught by their tests")
    return 0 if caught == len(chosen) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="?", default="", help="only mutants whose description has these words")
    return parser.parse_args()


def _run_unbroken(chosen: list[Mutant]) -> Verdict:
    """Run the tests of all mutants on the unchanged code: no rule is broken, so each must pass."""
    with TemporaryDirectory() as directory:
        tree = copytree(ROOT, Path(directory) / "healthy", ignore=LEFT_OUT)
        return run(tree, sorted({mutant.caught_by for mutant in chosen}))


def _reported(mutant: Mutant) -> Verdict:
    verdict = try_out(mutant)
    why = f": {problem_of(mutant)}" if verdict == Verdict.NOT_THERE else ""
    print(f"{verdict:11} {mutant.breaks}{why}  [{mutant.caught_by}]", flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
