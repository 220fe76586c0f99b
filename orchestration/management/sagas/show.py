"""`manage.py saga show|why|timeline`: all of one saga, its why line, and its timeline."""

from argparse import ArgumentParser
from pathlib import Path
from shutil import get_terminal_size

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.db import clocks
from orchestration.management import tables
from orchestration.management.arguments import add_format, saga_id
from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand
from orchestration.management.tables import WIDTH_OF_A_FILE
from orchestration.models import ALIAS, OperatorLogEntry
from orchestration.operators.insight.saga_view import SagaView, saga_view_of
from orchestration.operators.insight.timeline_svg import timeline_svg
from orchestration.operators.insight.timeline_text import timeline_lines
from orchestration.operators.insight.why import why_of
from orchestration.operators.representations.actions import LogEntryShown
from orchestration.operators.representations.sagas import SagaWhole, WhyShown

TEXT, SVG = "text", "svg"
MOST_ENTRIES = 100
"""The most entries of the operator log, the newest first. GET /api/v1/sagas/{id}/operator-log returns all."""


def show_saga(options: Options, output: Output) -> None:
    """Print all of one saga.

    :raises CommandError: when there is none.
    """
    view = _found(options)
    entries = list(OperatorLogEntry.objects.using(ALIAS).filter(saga_id=view.instance.pk)[:MOST_ENTRIES])
    shown = {**SagaWhole.of(view), "operator_log": LogEntryShown.of_each(entries)}
    output.write(shown, [*tables.of_saga_view(view, now=clocks.now()), tables.of_operator_log(entries)])


def say_why(options: Options, output: Output) -> None:
    """Print why a saga does not move.

    :raises CommandError: when there is none.
    """
    found = why_of(_found(options), now=clocks.now())
    table = Table("", "", box=None, pad_edge=False, show_header=False)
    table.add_row("why", found.sentence)
    table.add_row("next", found.next)
    for each in found.evidence:
        table.add_row("seen", each)
    output.write(WhyShown.of(found), [table])
    for source in found.unread:
        output.note(f"not asked: {source}")


def draw(options: Options, output: Output) -> None:
    """Draw the timeline as text on a terminal, or as SVG into a file or a pipe, unless --format is given.

    :raises CommandError: when there is none, the file cannot be written, or SVG is asked for on a terminal.
    """
    file, on_terminal = options["output"], options["output"] is None and output.out.isatty()
    form = options["format"] or (TEXT if on_terminal else SVG)
    if form == SVG and on_terminal:
        raise CommandError("a terminal does not show SVG: name a file with --output", returncode=Exit.USAGE)
    drawn = _drawn(_found(options), form, columns=get_terminal_size().columns if on_terminal else WIDTH_OF_A_FILE)
    if file is None:
        output.out.write(drawn)
        return
    try:
        file.write_text(drawn)
    except OSError as error:
        raise CommandError(str(error), returncode=Exit.ERROR) from error
    output.note(f"{file} is written")


def _drawn(view: SagaView, form: str, *, columns: int) -> str:
    now = clocks.now()
    return timeline_svg(view, now) if form == SVG else "\n".join(timeline_lines(view, now, columns=columns)) + "\n"


def _found(options: Options) -> SagaView:
    view = saga_view_of(options["id"])
    if view is None:
        raise CommandError(f"there is no saga {options['id']}", returncode=Exit.NOTHING_MATCHED)
    return view


def _add_one(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=saga_id, metavar="ID")
    add_format(parser)


def _add_timeline(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=saga_id, metavar="ID")
    forms = "text as lines for a terminal, svg as a picture (default: text on a terminal, else svg)"
    parser.add_argument("--format", choices=(TEXT, SVG), help=forms)
    parser.add_argument("--output", "--to", type=Path, metavar="FILE", help="write it there (default: stdout)")


SUBCOMMANDS = (
    Subcommand("show", "one saga: its row, steps and logs, and what the services remember", _add_one, show_saga),
    Subcommand("why", "why it does not move, in one sentence, and what happens next", _add_one, say_why),
    Subcommand("timeline", "what happened to it when, drawn", _add_timeline, draw),
)
