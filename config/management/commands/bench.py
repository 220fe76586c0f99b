"""`manage.py bench`: place orders through the engine and say how fast that was."""

import json
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.bench import cpu, run, workers
from config.celery import app
from inventory.services import top_up_stock
from orchestration.participant.sealing import seal


class Command(BaseCommand):
    help = "Start checkouts through the engine in a closed loop, wait until each is decided, print the figures."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=int, default=1000)
        parser.add_argument("--concurrency", type=int, default=32, help="sagas in flight")
        parser.add_argument("--skus", type=int, default=1000, help="how many SKUs the orders spread over")
        parser.add_argument("--workers", type=int, default=2, help="worker processes to start; 0: use those that run")
        parser.add_argument("--threads", type=int, default=8, help="threads of each worker started")
        parser.add_argument("--warmup", type=int, default=50, help="orders placed before the measurement")
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("orders", "concurrency", "skus"):
            if options[name] < 1:
                raise CommandError(f"--{name}: must be at least 1")
        plan = self._plan(options)
        with app.connection_for_write() as connection:
            settings.TOPOLOGY.declare(connection)
        with workers.running(options["workers"], options["threads"]):
            if options["warmup"]:
                run.measure(run.Plan(options["warmup"], plan.concurrency, plan.skus, plan.payment_method))
            before = cpu.seconds_by_part({os.getpid()})
            measured = run.measure(plan)
            after = cpu.seconds_by_part({os.getpid()})
        spent = None if before is None or after is None else {part: after[part] - before[part] for part in after}
        self._print(run.report(plan, measured, spent), options["format"])

    def _plan(self, options: dict[str, Any]) -> run.Plan:
        skus = tuple(f"BENCH-{number:04}" for number in range(options["skus"]))
        top_up_stock(units_by_sku=dict.fromkeys(skus, options["orders"] + options["warmup"]))
        return run.Plan(options["orders"], options["concurrency"], skus, seal("tok_ok"))

    def _print(self, figures: dict[str, Any], form: str) -> None:
        if form == "json":
            self.stdout.write(json.dumps(figures, indent=2))
            return
        for name, value in figures.items():
            self.stdout.write(f"{name:26} {value}")
