"""`manage.py saga`: shows sagas, and acts on them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import Error

from orchestration.management.exit_codes import IN_WORDS, Exit
from orchestration.management.no_match import PlainlyEnding
from orchestration.management.output import Output
from orchestration.management.sagas import act, batch, preflight, purge, reconcile, resolve, show, stats, watch
from orchestration.management.sagas import list as list_command
from orchestration.management.subcommand import add_all, run

SUBCOMMANDS = tuple(
    each
    for module in (
        *(list_command, show, stats, watch),
        *(act, batch, resolve, reconcile, preflight, purge),
    )
    for each in module.SUBCOMMANDS
)


class Command(PlainlyEnding):
    help = f"Look at sagas and help them on. {IN_WORDS}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_all(parser, SUBCOMMANDS)

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        output = Output(self.stdout, self.stderr, options.get("format", "table"))
        try:
            run(SUBCOMMANDS, command, options, output)
        except Error as error:
            raise CommandError(f"a database does not answer: {error}", returncode=Exit.ERROR) from error
