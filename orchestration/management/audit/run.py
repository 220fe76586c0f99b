"""`manage.py audit` without a subcommand: checks all books now."""

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from orchestration.management.arguments import add_format, moment
from orchestration.management.exit_codes import Exit
from orchestration.operators.audit import record, snapshot
from orchestration.operators.audit.check import check_all
from orchestration.operators.audit.findings import invariants
from orchestration.operators.audit.portions import part_of
from orchestration.operators.audit.run_rows import AnotherIsRunning
from orchestration.operators.audit.snapshot import Books
from orchestration.operators.audit.values import CannotAudit, Reach, first_id_at
from orchestration.operators.audit.violations import Findings, Unfinished
from orchestration.participant.selection import EVERYTHING, Between, Selection


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of an audit to the parser."""
    add_format(parser)
    parser.add_argument("--running", action="store_true", help="sagas are at work: that one has not ended is fine")
    parser.add_argument(
        "--allow-parked", nargs="*", type=UUID, metavar="SAGA", help="these sagas, or all, may be parked"
    )
    parser.add_argument(
        "--since", type=moment, metavar="WHEN", help="only sagas started since then, such as 2026-07-14T12:00; no sums"
    )
    parser.add_argument(
        "--write", action="store_true", help="write findings, as the periodic audit does; implies --running"
    )


def audit(options: dict[str, Any]) -> Findings:
    """Read the books and check every invariant. With `write`, store the findings.

    :raises CommandError: when a database cannot be read, or another audit that stores findings is under way.
    """
    these = options["allow_parked"]
    running = options["running"] or options["write"]
    allowed = Unfinished(running=running, parked=these == [], these=these or ())
    chosen = Between(first_id_at(options["since"])) if options["since"] else EVERYTHING
    try:
        return _write(allowed, chosen) if options["write"] else _compare(allowed, chosen)[0]
    except CannotAudit as error:
        raise CommandError(str(error)) from None
    except AnotherIsRunning as error:
        raise CommandError(str(error), returncode=Exit.REFUSED) from None


def reported(findings: Findings, how: str) -> Iterator[str]:
    """Yield the lines of the report in the format `how`."""
    if how == "json":
        yield json.dumps(findings.as_json(), indent=2)
    elif how == "jsonl":
        yield from (json.dumps(violation.as_json()) for violation in findings.violations)
    else:
        yield from _as_table(findings)


def _compare(allowed: Unfinished, chosen: Selection) -> tuple[Findings, Books]:
    books, findings = snapshot.read(chosen), Findings()
    check_all(books, allowed, findings)
    findings.violations.sort(key=lambda violation: violation.invariant)
    if not chosen.is_everything:
        findings.cannot_check("A1 A2 Q4", "in their sums, which need every saga: only newer ones were looked at")
    return findings, books


def _write(allowed: Unfinished, chosen: Selection) -> Findings:
    with record.one_run() as run:
        findings, books = _compare(allowed, chosen)
        part = part_of(findings, books)
        record.take(run, part)
        if chosen.is_everything:
            record.close_unseen(run, part.not_judged)
    return findings


def _as_table(findings: Findings) -> Iterator[str]:
    broken = Counter(violation.invariant for violation in findings.violations)
    for invariant, rule in invariants().items():
        verdict = f"{broken[invariant]} VIOLATED" if broken[invariant] else _unbroken(invariant, findings.reach)
        yield f"{invariant}  {verdict:14} {findings.checked[invariant]:9} checked  {rule}"
    yield from (f"not made: {gap}" for gap in findings.not_made)
    for violation in findings.violations:
        ids = " ".join(f"{name}={value}" for name, value in violation.ids.items())
        yield f"{violation.invariant}  {violation.message}  {ids}"
    for violation, evidence in findings.accepted:
        yield f"accepted: {violation.invariant}  {violation.message}  ({evidence})"
    yield _conclusion(broken.total(), findings.reach)


def _unbroken(invariant: str, reach: Reach) -> str:
    if invariant in reach.not_checked:
        return "not checked"
    return "ok in part" if invariant in reach.in_part else "ok"


def _conclusion(violations: int, reach: Reach) -> str:
    if violations:
        reported = f"{violations} violations"
    else:
        reported = "the books agree" if reach.is_whole else "the books that could be read agree"
    return reported if reach.is_whole else f"{reported}; {reach}"
