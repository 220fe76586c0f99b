"""`manage.py audit`: checks whether all books agree, and manages the findings."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import Error

from orchestration.management.audit import findings, run
from orchestration.management.exit_codes import Exit
from orchestration.management.no_match import PlainlyEnding
from orchestration.management.output import Output


class Command(PlainlyEnding):
    help = (
        "Hold every invariant against the five databases and the sandbox's own books, each read from one snapshot. "
        "Exit code 4 if one is violated; what could not be checked is said, and is no violation. "
        "What must hold when all is quiet is held against sagas that have ended; "
        "one that has not is itself a violation (Q1). With a COMMAND: what audits have found, and what to do about it; "
        "exit code 3: nothing matched, 4: the repair did not repair, 5: refused, nothing was changed, 6: timed out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        run.add_arguments(parser)
        findings.add_commands(parser)

    def handle(self, *args: Any, command: str | None, **options: Any) -> None:
        try:
            if command is None:
                self._audit(options)
            else:
                Output(self.stdout, self.stderr, options["format"]).write(*findings.run(command, options))
        except Error as error:
            raise CommandError(f"a database does not answer: {error}") from error

    def _audit(self, options: dict[str, Any]) -> None:
        found = run.audit(options)
        self.stdout.writelines(f"{line}\n" for line in run.reported(found, options["format"]))
        if options["format"] == "jsonl":  # each of its lines is a violation
            self.stderr.writelines(f"not made: {gap}\n" for gap in found.not_made)
        if not found.ok:
            sys.exit(Exit.SOME_FAILED)
