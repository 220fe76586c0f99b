"""`manage.py saga`: look at sagas, and help them on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import Error

from orchestration.management.ending import PlainlyEnding
from orchestration.management.exits import IN_WORDS, Exit
from orchestration.management.sagas import (
    acting,
    asking_outside,
    batching,
    listing,
    measuring,
    preflighting,
    purging,
    resolving,
    showing,
    watching,
)
from orchestration.management.saying import Voice
from orchestration.management.subcommand import add_all, run

SUBCOMMANDS = tuple(
    each
    for module in (
        *(listing, showing, measuring, watching),
        *(acting, batching, resolving, asking_outside, preflighting, purging),
    )
    for each in module.SUBCOMMANDS
)


class Command(PlainlyEnding):
    help = f"Look at sagas and help them on. {IN_WORDS}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_all(parser, SUBCOMMANDS)

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        voice = Voice(self.stdout, self.stderr, options.get("format", "table"))
        try:
            run(SUBCOMMANDS, command, options, voice)
        except Error as error:
            raise CommandError(f"a database does not answer: {error}", returncode=Exit.ERROR) from error
