"""`manage.py replay_orders FILE`: places the orders of an Online Retail file again, and gives their units back."""

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from deploy.replay.engine_placer import EnginePlacer
from deploy.replay.http_placer import HttpPlacer, Unreachable
from deploy.replay.placers import CLERK, Placer, username_of
from deploy.replay.plan import Plan, make_plan
from deploy.replay.preparation import ensure_stock, known_prices, make_clerk, make_customers, tokens_for
from deploy.replay.report import Report
from deploy.replay.rows import NotOnlineRetail, read_rows
from deploy.replay.run import Replayed, replay


def whole_number(text: str) -> int:
    """Parse a whole number above zero.

    :raises ArgumentTypeError: when the text is not one.
    """
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


class Command(BaseCommand):
    help = (
        "Put the articles of an Online Retail file on sale, create the stock and the customers that its invoices need, "
        "and place every invoice as a checkout. Then cancel or refund the orders that cancellation invoices name: "
        "C536365 gives back units of 536365. Replaying a file again does nothing twice. Exit code 1 if the totals "
        "differ."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--via", choices=("http", "engine"), default="http", help="how to place the orders (default: http)"
        )
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="address of the API, for --via http")
        parser.add_argument(
            "--token",
            help="place all orders as this customer, and refund them as this member of staff, for --via http (default: "
            "one customer per CustomerID, and a member of staff for refunds)",
        )
        parser.add_argument("--concurrency", type=whole_number, default=8, metavar="N", help="orders at a time")
        parser.add_argument(
            "--patience", type=whole_number, default=120, metavar="SECONDS", help="how long to wait for one order"
        )
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = _read(options["file"])
        ensure_stock(plan)
        began = time.monotonic()
        with _placer(plan, options) as placer:
            replayed = _replay(placer, plan, options["concurrency"])
        report = Report(plan, replayed, time.monotonic() - began)
        self._show(report, options["format"])
        if not report.agrees:
            raise CommandError("the totals differ from the file's")

    def _show(self, report: Report, form: str) -> None:
        if form == "json":
            self.stdout.write(json.dumps(report.as_json(), indent=2))
        else:
            self.stdout.writelines(f"{line}\n" for line in report.as_table())


def _read(path: Path) -> Plan:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(read_rows(lines))
    except (OSError, UnicodeDecodeError, NotOnlineRetail) as error:
        raise CommandError(f"{path}: {error}") from None
    return make_plan(rows, known_prices(row.code for row in rows))


@contextmanager
def _placer(plan: Plan, options: dict[str, Any]) -> Iterator[Placer]:
    patience = timedelta(seconds=options["patience"])
    if not plan.invoices:
        raise CommandError("there is no order in this file")
    if options["via"] == "engine":
        yield EnginePlacer(make_customers(plan), patience)
    elif options["token"]:
        tokens = dict.fromkeys((CLERK, *map(username_of, plan.invoices)), options["token"])
        yield _checked(HttpPlacer(options["url"], tokens, patience))
    else:
        staff = {CLERK: make_clerk()} if plan.cancellations else {}
        with tokens_for(make_customers(plan) | staff) as tokens:
            yield _checked(HttpPlacer(options["url"], tokens, patience))


def _checked(placer: HttpPlacer) -> HttpPlacer:
    try:
        placer.check()
    except Unreachable as error:
        raise CommandError(str(error)) from None
    return placer


def _replay(placer: Placer, plan: Plan, concurrency: int) -> Sequence[Replayed]:
    """Replay the plan and show the progress on a terminal. It is not shown elsewhere."""
    columns = (BarColumn(), MofNCompleteColumn(), "invoices", TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("replay", total=len(plan.invoices) + len(plan.cancellations))
        return replay(placer, plan, concurrency=concurrency, on_decided=lambda: progress.advance(task))
