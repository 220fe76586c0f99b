"""`manage.py ready`: checks whether everything that this process needs is available."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config import readiness
from config.addresses import where_to_look


class Command(BaseCommand):
    help = "Check databases, migrations, broker, queues and Redis; one line for each problem, exit code 1 if any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--servers",
            action="store_true",
            help="Check only whether the servers accept connections, as needed before `migrate`.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        warned = list(readiness.warnings())
        found = list(readiness.servers_away() if options["servers"] else readiness.problems())
        for line in [*(f"warning: {each}" for each in warned), *(f"not ready: {each}" for each in found)]:
            self.stderr.write(line)
        for how in readiness.how_to_get([*warned, *found]):
            self.stderr.write(f"to get {how}")
        if found:
            sys.exit(1)
        if not options["servers"]:
            self.stdout.write("\n".join(["ready", *where_to_look(settings.PUBLIC_URL, settings.FLOWER_URL)]))
