"""`manage.py saga show`: one saga whole."""

from argparse import ArgumentParser
from datetime import UTC, datetime

from django.core.management.base import CommandError

from orchestration import shown
from orchestration.case import case_of
from orchestration.management import tables
from orchestration.management.arguments import add_format, saga_id
from orchestration.management.exits import Exit
from orchestration.management.saying import Voice
from orchestration.management.subcommand import Options, Subcommand


def show_saga(options: Options, voice: Voice) -> None:
    """:raises CommandError: when there is none."""
    case = case_of(options["id"])
    if case is None:
        raise CommandError(f"there is no saga {options['id']}", returncode=Exit.NOTHING_MATCHED)
    voice.say(shown.case(case), tables.of_case(case, now=datetime.now(UTC)))


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=saga_id, metavar="ID")
    add_format(parser)


SUBCOMMANDS = (
    Subcommand("show", "one saga: its row, steps, log, and what the services remember", _add_arguments, show_saga),
)
