"""The confirmation of a change: asked for at a terminal, given with --yes elsewhere."""

import sys

from django.core.management.base import CommandError

from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output
from orchestration.management.subcommand import Options


def refuse_without_consent(question: str, options: Options, output: Output) -> None:
    """Return if --yes is given, or the operator at the terminal agrees.

    :raises CommandError: when there is no terminal, or the operator says no.
    """
    if options["yes"]:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} There is no terminal to ask at: say --yes", returncode=Exit.USAGE)
    output.note(f"{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed", returncode=Exit.REFUSED)
