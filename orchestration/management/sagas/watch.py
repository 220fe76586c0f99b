"""`manage.py saga watch`: shows sagas while they move, until they have ended."""

import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, cast
from uuid import UUID

from django.core.management.base import CommandError
from rich.console import Console
from rich.live import Live

from orchestration.db import clocks
from orchestration.management import tables
from orchestration.management.arguments import add_limit, number, whole_number
from orchestration.management.exit_codes import Exit
from orchestration.management.filter_arguments import SagaSelection, add_filters, selection_of
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand
from orchestration.models import SagaInstance
from orchestration.operators.insight.search import newest_sagas
from orchestration.operators.representations.sagas import SagaRow
from orchestration.protocol.states import ENDED
from orchestration.text import formatting

SHOWN = 20


@dataclass
class View:
    """The watched sagas. Each is followed to its end; `shown_at` holds the version that was shown last."""

    selection: SagaSelection
    limit: int
    shown_at: dict[UUID, int] = field(default_factory=dict)
    open: set[UUID] = field(default_factory=set)

    def look(self) -> tuple[list[SagaInstance], list[SagaInstance]]:
        """Return the watched sagas, the newest first, and those of them that have moved since the last call."""
        wanted = newest_sagas().filter(self.selection.condition(now=clocks.now()))[: self.limit]
        found = {saga.pk: saga for saga in newest_sagas().filter(pk__in=self.open)}
        found |= {saga.pk: saga for saga in wanted}
        moved = [saga for saga in found.values() if self.shown_at.get(saga.pk) != saga.version]
        self.shown_at |= {saga.pk: saga.version for saga in moved}
        self.open = {saga.pk for saga in found.values() if saga.phase not in ENDED}
        return list(found.values()), moved


def watch(options: Options, output: Output) -> None:
    """Show sagas that move until all matching sagas have ended, the operator stops it, or --wait is over.

    :raises CommandError: when none matches, or --wait is over first.
    """
    view = View(selection_of(options).looked_up(output), options["limit"])
    until = time.monotonic() + options["wait"] if options["wait"] else None
    try:
        with _shown_on(output) as show:
            while True:
                show(*view.look())
                if not view.shown_at:
                    raise CommandError("no saga matches", returncode=Exit.NOTHING_MATCHED)
                if not view.open:
                    return
                if until is not None and time.monotonic() >= until:
                    sentence = f"{formatting.count(len(view.open), 'saga')} did not end within {options['wait']} s"
                    raise CommandError(sentence, returncode=Exit.TIMED_OUT)
                time.sleep(options["every"])
    except KeyboardInterrupt:
        output.note("no longer watched; nothing was changed")


@contextmanager
def _shown_on(output: Output) -> Iterator[Callable[[list[SagaInstance], list[SagaInstance]], None]]:
    """Show a live table on a terminal, else a line of JSON for each saga that has moved."""
    if not output.out.isatty():

        def tell(found: list[SagaInstance], moved: list[SagaInstance]) -> None:
            for saga in moved:
                output.line(SagaRow.of(saga))

        yield tell
        return
    with Live(console=Console(file=cast(IO[str], output.out)), auto_refresh=False, transient=False) as live:

        def show(found: list[SagaInstance], moved: list[SagaInstance]) -> None:
            live.update(tables.of_moving(found[:SHOWN], now=clocks.now()), refresh=True)

        yield show


def _add_arguments(parser: ArgumentParser) -> None:
    add_filters(parser)
    add_limit(parser, 200)
    parser.add_argument("--every", type=number, default=1.0, metavar="SECONDS", help="how often to look (default: 1)")
    parser.add_argument("--wait", type=whole_number, metavar="SECONDS", help="no longer than this (exit code 6)")


SUBCOMMANDS = (
    Subcommand(
        "watch", "see sagas move: a live table on a terminal, else a line of JSON a move", _add_arguments, watch
    ),
)
