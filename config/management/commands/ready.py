"""`manage.py ready`: whether everything this process needs is there."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from config import readiness


class Command(BaseCommand):
    help = "Check databases, migrations, broker, queues and Redis; one line for each problem, exit code 1 if any."

    def handle(self, *args: Any, **options: Any) -> None:
        for warning in readiness.warnings():
            self.stderr.write(f"warning: {warning}")
        found = list(readiness.problems())
        for problem in found:
            self.stderr.write(f"not ready: {problem}")
        if found:
            sys.exit(1)
        self.stdout.write("ready")
