"""`manage.py audit`: whether all books agree."""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from config.audit import Findings, Unfinished, Unreadable, audit
from config.audit.findings import INVARIANTS


class Command(BaseCommand):
    help = (
        "Hold every invariant against the five databases and the sandbox's own books, each read from one snapshot. "
        "Exit code 1 if one is violated. What must hold when all is quiet is held against sagas that have ended; "
        "one that has not is itself a violation (Q1)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=("table", "json"), default="table")
        parser.add_argument("--running", action="store_true", help="sagas are at work: that one has not ended is fine")
        parser.add_argument(
            "--allow-parked", nargs="*", type=UUID, metavar="SAGA", help="these sagas, or all, may be parked"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        these = options["allow_parked"]
        allowed = Unfinished(running=options["running"], parked=these == [], these=these or ())
        try:
            findings = audit(allowed)
        except Unreadable as error:
            raise CommandError(str(error)) from None
        if options["format"] == "json":
            self.stdout.write(json.dumps(findings.as_json(), indent=2))
        else:
            self.stdout.writelines(f"{line}\n" for line in _as_table(findings))
        if not findings.ok:
            sys.exit(1)


def _as_table(findings: Findings) -> Iterator[str]:
    broken = Counter(violation.invariant for violation in findings.violations)
    for invariant, rule in INVARIANTS.items():
        verdict = f"{broken[invariant]} VIOLATED" if broken[invariant] else "ok"
        yield f"{invariant}  {verdict:14} {findings.checked[invariant]:9} checked  {rule}"
    yield from (f"not made: {reason}" for reason in findings.not_made)
    for violation in findings.violations:
        ids = " ".join(f"{name}={value}" for name, value in violation.ids.items())
        yield f"{violation.invariant}  {violation.message}  {ids}"
    yield f"{broken.total()} violations" if broken else "the books agree"
