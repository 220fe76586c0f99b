"""`manage.py saga preflight`: refuses a deploy whose code could not continue the unfinished sagas."""

from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.engine import preflight
from orchestration.engine.preflight import Inspection
from orchestration.management.arguments import add_format
from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand

SHOWN = 5
"""The most ids of a problem in the table. The JSON has all of them."""


def inspect(_: Options, output: Output) -> None:
    """Print which unfinished sagas this code could not continue.

    :raises CommandError: when this code could not carry on some saga.
    """
    found = preflight.inspect()
    output.write(shown(found), as_tables(found))
    if found.problems:
        concerned = {saga_id for ids in found.problems.values() for saga_id in ids}
        sentence = f"{len(concerned)} unfinished sagas cannot be carried on by this code"
        raise CommandError(sentence, returncode=Exit.ERROR)


def shown(found: Inspection) -> dict[str, Any]:
    """Return the inspection as a JSON-ready value."""
    return {
        "unfinished": found.checked,
        "problems": [
            {"problem": problem, "sagas": [str(saga_id) for saga_id in ids]} for problem, ids in found.problems.items()
        ],
    }


def as_tables(found: Inspection) -> list[Table]:
    """Return the inspection as tables; without problems only the first."""
    counted = Table("definition", "unfinished sagas", box=None, pad_edge=False)
    for definition, count in sorted(found.checked.items()):
        counted.add_row(definition, str(count) if count else "none")
    problems = Table("problem", "sagas", "ids", box=None, pad_edge=False)
    for problem, ids in found.problems.items():
        more = ["…"] if len(ids) > SHOWN else []
        problems.add_row(problem, str(len(ids)), "\n".join([*map(str, ids[:SHOWN]), *more]))
    return [counted, problems] if found.problems else [counted]


HELP = "before this code's workers start: can it carry on every unfinished saga? Exit code 1 if not"
SUBCOMMANDS = (Subcommand("preflight", HELP, add_format, inspect),)
