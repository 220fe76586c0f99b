"""`manage.py saga purge`: removes sagas that ended long ago, and their ledger rows in the services."""

import time
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.db import clocks
from orchestration.management.arguments import add_consent, add_format, add_limit, number, span
from orchestration.management.confirmation import refuse_without_consent
from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output, ProgressBar
from orchestration.management.subcommand import Options, Subcommand
from orchestration.operators.retention import rule
from orchestration.operators.retention.purge import Removed, foreseen, purge_ledgers, purge_sagas
from orchestration.text import formatting

HELP = "remove sagas that ended longer ago than a span, and what services remember of them"


def purge(options: Options, output: Output) -> None:
    """Remove sagas that ended long ago.

    :raises CommandError: when the span is too short, nothing is that old, or ledger rows have to stay.
    """
    try:
        rule.refuse_too_short(options["older_than"])
    except rule.TooShort as error:
        raise CommandError(str(error), returncode=Exit.REFUSED) from error
    until, limit = clocks.now() - options["older_than"], options["limit"]
    if options["dry_run"]:
        _tell(foreseen(until, limit=limit), options, output)
        for why in rule.why_ledger_rows_stay():
            output.note(f"ledger rows would stay: {why}")
        return
    refuse_without_consent(f"Remove sagas that ended before {formatting.moment(until)}?", options, output)
    with output.counting("purged", limit) as bar:
        removed = _all_of(purge_sagas(until, limit=limit), options, bar)
        stay = rule.why_ledger_rows_stay()
        if not stay:
            removed += _all_of(purge_ledgers(until), options, bar)
    _tell(removed, options, output)
    if stay:
        raise CommandError(f"ledger rows stay: {'; '.join(stay)}", returncode=Exit.SOME_FAILED)


def _all_of(chunks: Iterable[Removed], options: Options, bar: ProgressBar) -> Removed:
    total = Removed()
    for chunk in chunks:
        total += chunk
        bar.advance(chunk.sagas)
        if options["rate"]:
            time.sleep(chunk.sagas / options["rate"])
    return total


def _tell(removed: Removed, options: Options, output: Output) -> None:
    table = Table("sagas", "log entries", "ledger rows", box=None, pad_edge=False)
    table.add_row(*map(str, asdict(removed).values()))
    output.write({**asdict(removed), "dry_run": options["dry_run"]}, [table])
    if removed == Removed():
        raise CommandError("no saga is that old", returncode=Exit.NOTHING_MATCHED)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--older-than", type=span, required=True, metavar="SPAN", help="since their end, such as 90d")
    add_limit(parser, None)
    parser.add_argument("--rate", type=number, metavar="N", help="sagas a second at most (default: as fast as it goes)")
    add_consent(parser)
    add_format(parser)


SUBCOMMANDS = (Subcommand("purge", HELP, _add_arguments, purge, description=lambda: f"{HELP}\n\n{rule.RULE}"),)
