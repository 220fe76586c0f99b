"""`manage.py saga stats`: rates and durations of sagas, and the bottleneck."""

from argparse import ArgumentParser
from collections.abc import Iterator

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.db import clocks
from orchestration.management.arguments import add_format, span
from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand
from orchestration.operators.insight import overview
from orchestration.operators.insight.overview import Figures
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.stats import WINDOW, Durations, Stats
from orchestration.operators.representations.figures import FiguresShown


def measure(options: Options, output: Output) -> None:
    """Print the shop's figures.

    :raises CommandError: when the sagas cannot be read; any other source that is away is named.
    """
    found = overview.read(now=clocks.now(), window=options["window"])
    output.write(FiguresShown.of(found), _tables(found))
    if isinstance(found.stats, Unavailable):
        raise CommandError(found.stats.why, returncode=Exit.ERROR)


def _tables(found: Figures) -> Iterator[Table]:
    if isinstance(found.stats, Stats):
        yield _rates(found.stats)
        yield _steps(found.stats)
    yield _presets(found)
    bottleneck = Table("bottleneck", box=None, pad_edge=False)
    bottleneck.add_row(found.bottleneck.rule if found.bottleneck else "nothing stands out")
    yield bottleneck


def _rates(stats: Stats) -> Table:
    table = Table("in flight", "started/min", "ended/min", "completed", "p50", "p95", "p99", box=None, pad_edge=False)
    completed = f"{stats.success:.1%}" if stats.success is not None else "none ended"
    started, ended = f"{stats.started_per_minute:.1f}", f"{stats.ended_per_minute:.1f}"
    table.add_row(str(stats.in_flight), started, ended, completed, *_percentiles(stats.end_to_end))
    return table


def _steps(stats: Stats) -> Table:
    table = Table("step", "share of time", "p50", "p95", "p99", box=None, pad_edge=False)
    for step in stats.steps:
        table.add_row(step.step, f"{step.share:.0%}", *_percentiles(step.durations))
    return table


def _presets(found: Figures) -> Table:
    table = Table(*found.presets, box=None, pad_edge=False)
    table.add_row(*map(str, found.presets.values()))
    return table


def _percentiles(durations: Durations) -> Iterator[str]:
    for seconds in (durations.p50, durations.p95, durations.p99):
        yield "" if seconds is None else f"{seconds:.3f} s"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--window", type=span, default=WINDOW, metavar="SPAN", help="how far back (default: 15m)")
    add_format(parser)


SUBCOMMANDS = (Subcommand("stats", "how fast sagas come and go, and what holds them up", _add_arguments, measure),)
