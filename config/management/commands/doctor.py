"""`manage.py doctor`: checks what an operator on call looks at first, and says what to do about each problem."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from config.doctor import broker, databases, sagas, values, workers
from config.doctor.lines import Line, Verdict
from orchestration.management.arguments import add_format
from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output

LOOKED_AT = (values.look, databases.look, broker.look, workers.look, sagas.look)


class Command(BaseCommand):
    help = (
        "Look at settings, databases, broker, queues, Redis, workers, clocks, connections, sagas and audits; change "
        "nothing. Each line says ok, warn or fail, and what to do. Exit code 1 when one says fail."
    )
    requires_system_checks: list[str] = []  # it runs them itself and reports the results

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        output = Output(self.stdout, self.stderr, options["format"])
        found: list[Line] = []
        with output.counting("looking", len(LOOKED_AT)) as bar:
            for look in LOOKED_AT:
                found += look()
                bar.advance()
        output.write([asdict(line) for line in found], [_table(found)])
        failed = [line for line in found if line.verdict is Verdict.FAIL]
        if failed:
            raise CommandError(f"{len(failed)} of {len(found)} say fail", returncode=Exit.ERROR)


def _table(lines: list[Line]) -> Table:
    table = Table("", "what", "seen", "what to do", box=None, pad_edge=False)
    for line in lines:
        table.add_row(line.verdict.value, line.what, line.seen, line.do)
    return table
