"""`manage.py saga list|count`: lists or counts sagas."""

from argparse import ArgumentParser

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.db import clocks
from orchestration.management import tables
from orchestration.management.arguments import add_format, add_limit
from orchestration.management.exit_codes import Exit
from orchestration.management.filter_arguments import add_filters, selection_of
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.counts import Count, count_of
from orchestration.operators.insight.search import newest_sagas
from orchestration.operators.representations.sagas import Counted, SagaRow

NONE = "no saga matches"


def list_sagas(options: Options, output: Output) -> None:
    """Print the newest sagas that match.

    :raises CommandError: when none matches.
    """
    now, limit = clocks.now(), options["limit"]
    wanted = selection_of(options).looked_up(output).condition(now=now)
    sagas = list(newest_sagas().filter(wanted)[: limit + 1])
    listed = sagas[:limit]
    output.write(SagaRow.of_each(listed), [tables.of_sagas(listed, now=now)] if listed else [])
    if not listed:
        raise CommandError(NONE, returncode=Exit.NOTHING_MATCHED)
    if len(sagas) > limit:
        output.note(f"only the newest {limit} are listed; --limit shows more")


def count_sagas(options: Options, output: Output) -> None:
    """Print how many sagas match.

    :raises CommandError: when none matches.
    """
    selection = selection_of(options).looked_up(output)
    sagas = SagaInstance.objects.using(ALIAS).filter(selection.condition(now=clocks.now()))
    found = Count(sagas.count()) if options["exact"] else count_of(sagas)
    table = Table("sagas", "which", box=None, pad_edge=False)
    table.add_row(str(found), selection.in_words())
    output.write(Counted.of(found), [table])
    if not found.number:
        raise CommandError(NONE, returncode=Exit.NOTHING_MATCHED)


def _add_list(parser: ArgumentParser) -> None:
    add_filters(parser)
    add_limit(parser, 50)
    add_format(parser)


def _add_count(parser: ArgumentParser) -> None:
    add_filters(parser)
    parser.add_argument("--exact", action="store_true", help="count them all, however many there are")
    add_format(parser)


SUBCOMMANDS = (
    Subcommand("list", "sagas, the newest first", _add_list, list_sagas),
    Subcommand("count", "how many there are; beyond a thousand only with --exact", _add_count, count_sagas),
)
