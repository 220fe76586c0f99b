"""`manage.py audit findings|apply|accept`: lists findings, applies repairs, accepts findings."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.db import clocks
from orchestration.management.arguments import add_format, add_justification, whole_number
from orchestration.management.exit_codes import Exit
from orchestration.management.saga_end import wait_for_end
from orchestration.models.audit import AuditFinding
from orchestration.operators.audit import apply, queries
from orchestration.operators.audit.apply import Justification, NoSuchFinding, NotApplicable
from orchestration.operators.audit.values import CannotAudit, Repair

Shown = tuple[Any, list[Table]]
"""(value for JSON, tables for people)."""


def add_commands(parser: ArgumentParser) -> None:
    """Add the subcommands to the parser."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    listed = commands.add_parser("findings", help="what audits see now")
    listed.add_argument("--all", action="store_true", help="also those that are gone")
    listed.add_argument("--limit", type=whole_number, default=50, metavar="N", help="at most so many (default: 50)")
    add_format(listed)
    applied = commands.add_parser("apply", help="start the saga that a finding proposes")
    applied.add_argument("id", type=whole_number, metavar="FINDING")
    applied.add_argument("--dry-run", action="store_true", help="look again, say what would be started, start nothing")
    applied.add_argument("--wait", type=whole_number, metavar="SECONDS", help="until the saga has ended, or so long")
    accepted = commands.add_parser("accept", help="have a finding on record as one that may stay")
    accepted.add_argument("id", type=whole_number, metavar="FINDING")
    for each in (applied, accepted):
        add_justification(each)
        add_format(each)


def run(command: str, options: dict[str, Any]) -> Shown:
    """Execute a subcommand and return its output.

    :raises CommandError: with the exit code, when nothing matches, nothing may be changed, or the repair fails.
    """
    by_name: dict[str, Callable[[dict[str, Any]], Shown]] = {"findings": _list, "apply": _apply, "accept": _accept}
    try:
        return by_name[command](options)
    except NoSuchFinding as error:
        raise CommandError(str(error), returncode=Exit.NOTHING_MATCHED) from None
    except NotApplicable as error:
        raise CommandError(f"nothing was changed: {error}", returncode=Exit.REFUSED) from None
    except CannotAudit as error:
        raise CommandError(f"nothing was changed: {error}", returncode=Exit.ERROR) from None


def _list(options: dict[str, Any]) -> Shown:
    found = list((queries.findings() if options["all"] else queries.open_findings())[: options["limit"]])
    if not found:
        raise CommandError("no finding matches", returncode=Exit.NOTHING_MATCHED)
    return [_as_json(each) for each in found], [_as_table(found)]


def _apply(options: dict[str, Any]) -> Shown:
    if options["dry_run"]:
        finding, repair = apply.preview(options["id"])
        return {**_as_json(finding), "would_start": _proposed(repair)}, [_would(repair)]
    justification = Justification(by=options["by"], reason=options["reason"])
    applied = apply.apply(options["id"], justification, now=clocks.now())
    if options["wait"]:
        wait_for_end(applied.saga_id, options["wait"])
    return {**_as_json(applied.finding), "started": applied.started}, [_as_table([applied.finding])]


def _accept(options: dict[str, Any]) -> Shown:
    justification = Justification(by=options["by"], reason=options["reason"])
    finding = apply.accept(options["id"], justification, now=clocks.now())
    return _as_json(finding), [_as_table([finding])]


def _as_json(finding: AuditFinding) -> dict[str, Any]:
    return {
        "id": finding.pk,
        "invariant": finding.invariant,
        "message": finding.message,
        "ids": finding.ids,
        "first_seen_at": finding.first_seen_at.isoformat(),
        "last_seen_at": finding.last_seen_at.isoformat(),
        "gone_at": finding.gone_at and finding.gone_at.isoformat(),
        "accepted_by": finding.accepted_by,
        "accepted_reason": finding.accepted_reason,
        "advice": finding.advice,
        "repair": _proposed(Repair(finding.repair, finding.repair_parameters)) if finding.repair else None,
        "repair_saga_id": finding.repair_saga_id and str(finding.repair_saga_id),
        "applied_by": finding.applied_by,
        "applied_reason": finding.applied_reason,
        "outcome": finding.outcome,
    }


def _proposed(repair: Repair) -> dict[str, Any]:
    return {"saga": repair.kind, "parameters": dict(repair.parameters)}


def _would(repair: Repair) -> Table:
    table = Table("would start", "with")
    table.add_row(repair.kind, _words(repair.parameters.items()))
    return table


def _as_table(found: list[AuditFinding]) -> Table:
    table = Table("id", "invariant", "finding", "about", "seen", "state", "what to do")
    for each in found:
        seen = f"{each.first_seen_at:%Y-%m-%d %H:%M} to {each.last_seen_at:%Y-%m-%d %H:%M}"
        ids = _words(each.ids.items())
        table.add_row(str(each.pk), each.invariant, each.message, ids, seen, ", ".join(_state(each)), each.advice)
    return table


def _state(finding: AuditFinding) -> Iterator[str]:
    yield "gone" if finding.gone_at else "open"
    if finding.accepted_at:
        yield f"accepted by {finding.accepted_by}: {finding.accepted_reason}"
    if finding.applied_at:
        became = finding.outcome.replace("_", " ") or "not looked at since"
        yield f"repair {finding.repair_saga_id} applied by {finding.applied_by}: {became}"


def _words(pairs: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in pairs)
