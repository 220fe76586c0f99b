"""`manage.py bench`: measures how fast orders are placed, and what one order costs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.env import PREFIX, SETTINGS
from deploy.bench import options, series
from deploy.bench.load import NoLoad, Window
from deploy.bench.measurement import Plan
from deploy.bench.processes import INSTANT, Crew, NotReady, ended_by_sigterm
from deploy.bench.variants import VARIANTS

RUN_DIRECTORY = Path(__file__).resolve().parents[3] / ".run" / "bench"


class Command(BaseCommand):
    help = (
        "Start workers (for http also web processes) and place orders on the configured servers. Measures orders a "
        "second, the latency of completed orders from the time they were due, and CPU time per order. Also measures "
        "the load of other processes on this machine. The orders are not removed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_argument_group("what is measured").add_mutually_exclusive_group()
        known = "; ".join(f"{name}: {variant.says}" for name, variant in VARIANTS.items())
        what.add_argument(
            "--variants", type=options.variants, default=list(VARIANTS), metavar="A,B", help=known.replace("%", "%%")
        )
        what.add_argument(
            "--scaling",
            type=options.whole_numbers,
            metavar="1,2,4",
            help="measure base and hot with each number of workers",
        )
        what.add_argument(
            "--memory",
            type=options.whole_number,
            metavar="N",
            help="measure the workers' resident memory after every tenth of N sagas",
        )
        parser.add_argument(
            "--rounds", type=options.whole_number, default=1, help="measure all variants so often and show medians"
        )
        parser.add_argument("--seconds", type=options.seconds, default=20.0, help="length of each measurement")
        parser.add_argument("--warmup-seconds", type=options.seconds, default=5.0, help="load before each measurement")
        parser.add_argument("--concurrency", type=options.whole_number, default=64, help="orders in flight")
        parser.add_argument("--skus", type=options.whole_number, default=1000, help="number of SKUs that orders buy")
        parser.add_argument("--workers", type=options.whole_number, default=1, help="worker processes")
        parser.add_argument("--threads", type=options.whole_number, default=8, help="threads of each worker")
        parser.add_argument(
            "--sandbox", action="store_true", help="call the sandbox's gateway and carrier, not instant ones"
        )
        parser.add_argument(
            "--stored",
            type=options.whole_number_or_0,
            metavar="N",
            help="first fill the databases to N ended sagas, copies of one; --stored 0 removes them",
        )
        parser.add_argument(
            "--output", type=Path, help="file for the figures as JSON (default: a new one in .run/bench)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_real_providers()
        plan = Plan(
            Window(options["warmup_seconds"], options["seconds"]),
            in_flight=options["concurrency"],
            skus=options["skus"],
            crew=Crew(options["workers"], options["threads"], {} if options["sandbox"] else INSTANT),
        )
        output = _writable(options["output"] or RUN_DIRECTORY / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
        try:
            with ended_by_sigterm():
                report = self._measure(plan, options)
        except (NotReady, NoLoad) as error:
            raise CommandError(str(error)) from error
        output.write_text(json.dumps({"settings": _settings(options), **report}, indent=2) + "\n")
        self.stdout.write(f"as JSON: {output}")

    def _measure(self, plan: Plan, options: dict[str, Any]) -> dict[str, Any]:
        tell = self.stdout.write
        series.prepare(plan)
        report: dict[str, Any] = {}
        if options["stored"] is not None:
            report["database_bytes"] = series.store(options["stored"], plan, tell)
        if options["memory"]:
            report["resident_mib"] = resident = series.remember(options["memory"], plan, tell)
            tell(series.memory_table(resident))
            return report
        measured = series.Series(tell)
        if options["scaling"]:
            measured.scale(plan, options["scaling"], rounds=options["rounds"])
        else:
            measured.measure(plan, options["variants"], rounds=options["rounds"])
        tell(f"\n{measured.table()}\n")
        return report | measured.as_json()


def _refuse_real_providers() -> None:
    """Refuse to place orders that the shop's own workers could carry out with real providers.

    :raises CommandError: naming the setting, when the gateway or the carrier is not the sandbox's.
    """
    for name, chosen in (("PAYMENT_GATEWAY", settings.PAYMENT_GATEWAY), ("CARRIER", settings.CARRIER)):
        if chosen != SETTINGS[name].default:
            raise CommandError(
                f"{PREFIX}{name} is {chosen}: a benchmark never calls a real provider, and workers of this shop would; "
                "measure one whose gateway and carrier are the sandbox's"
            )


def _writable(output: Path) -> Path:
    """Check before the measurement that its figures can be written.

    :raises CommandError: when they cannot be written there.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("a") as file:
            is_new = file.tell() == 0
        if is_new:
            output.unlink()
    except OSError as error:
        raise CommandError(f"--output {output}: {error.strerror}") from None
    return output


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of this run, for the readers of the file."""
    names = ("variants", "scaling", "rounds", "seconds", "warmup_seconds", "concurrency", "skus", "workers", "threads")
    return {name: options[name] for name in (*names, "sandbox", "stored")}
