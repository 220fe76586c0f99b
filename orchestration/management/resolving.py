"""`manage.py saga resolve`: a person with a statement in hand settles what gateway or carrier cannot be asked."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from orchestration import selectors
from orchestration.management import resuming
from orchestration.management.resuming import Resumption, Word
from orchestration.models import SagaInstance
from orchestration.participant import resolving
from orchestration.participant.ledger import Status
from orchestration.participant.participant import participant_of, participants
from orchestration.participant.resolving import Grounds, NoSuchRow, NotResolved, Outcome, Resolved, Statement
from orchestration.participant.settling import commands_outside
from orchestration.redaction import redacted
from orchestration.saga import Saga
from orchestration.sagas import UnknownDefinition, definition_of
from orchestration.standing import known_steps

ERROR, NOTHING_MATCHED, REFUSED = 1, 3, 5
"""Exit codes."""

HELP = """
Settle a step whose outcome nobody knows (its ledger row is started or undoing), and have the saga go on.
done: the action was carried out. not-done: it was not, and will not be any more. undone: what it did is reversed, or it
never did anything. The row keeps who said so, why, and the evidence; so does the saga's log. Exit code 5: nothing was
changed, because the row is not open, the outcome does not fit it, or a fact is missing or wrong; the error lists the
facts that are wanted.

What is said is final: nothing is asked or called for that row again. Said not-done of what was done after all, the
money stays held, or the parcel booked, for an order that is given up: manage.py audit reports it, and it must be
released at the gateway or carrier by hand. Said done of what was not, a later step or a compensation fails there, and
is parked.
After the pivot not-done cannot be said, for the step is owed: do it by hand, then say done.
"""


@dataclass(frozen=True)
class Resolution:
    """What became of the row, and of the saga that was to go on; None when it was only rehearsed."""

    instance: SagaInstance
    step: str
    resolved: Resolved
    resumption: Resumption | None


def description() -> str:
    """What the command does, and the facts that each step wants."""
    return "\n".join([HELP, "Facts (--fact NAME=VALUE, for each):", *_facts_wanted()])


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments that only this command has."""
    parser.add_argument("step", choices=known_steps(), metavar="STEP", help=", ".join(known_steps()))
    parser.add_argument("--outcome", choices=[each.value for each in Outcome], required=True)
    parser.add_argument("--fact", type=_fact, action="append", default=[], metavar="NAME=VALUE", dest="facts")
    parser.add_argument("--dry-run", action="store_true", help="say what would become of it, and change nothing")


def resolve(options: dict[str, Any]) -> Resolution:
    """Settle the row, then have the saga go on.

    A command that dies in between leaves a settled row: `saga resume` does the rest.

    :raises CommandError: when nothing was changed.
    """
    instance = selectors.saga(options["id"])
    if instance is None:
        raise CommandError(f"there is no saga {options['id']}", returncode=NOTHING_MATCHED)
    saga, statement = _definition_of(instance), _statement(options)
    step, rehearsed = options["step"], options["dry_run"]
    if step not in saga.by_name:
        raise CommandError(f"{saga.name} has no step {step}", returncode=NOTHING_MATCHED)
    if statement.outcome is Outcome.NOT_DONE and saga.position_of(step) > saga.pivot_position:
        raise CommandError(f"{step} is owed after the pivot: do it by hand, then say done", returncode=REFUSED)
    participant = participant_of(saga.by_name[step].action.service)
    try:
        resolved = resolving.resolve(participant, instance.pk, step, statement, rehearsed=rehearsed)
    except NoSuchRow as error:
        raise CommandError(str(error), returncode=NOTHING_MATCHED) from error
    except NotResolved as error:
        raise CommandError(str(error), returncode=REFUSED) from error
    return Resolution(instance, step, resolved, None if rehearsed else _resume(instance, step, statement))


def shown(made: Resolution) -> dict[str, Any]:
    """The resolution as a JSON-ready value."""
    resolved, definition = made.resolved, made.instance.definition
    return {
        "id": str(made.instance.pk),
        "step": made.step,
        "was": resolved.was,
        "status": resolved.status,
        "answer": redacted(resolved.answer, definition=definition),
        "refusal": resolved.refusal,
        "saga": made.resumption.outcome if made.resumption else None,
        "dry_run": made.resumption is None,
    }


def as_table(made: Resolution) -> Table:
    """The resolution as a table."""
    table = Table("id", "step", "was", "is", "saga", box=None, pad_edge=False)
    saga = made.resumption.outcome if made.resumption else "nothing was changed: --dry-run"
    table.add_row(str(made.instance.pk), made.step, made.resolved.was, made.resolved.status, saga)
    return table


def _facts_wanted() -> Iterator[str]:
    for participant in participants().values():
        for (status, step), (_, work) in commands_outside(participant).items():
            said = Outcome.DONE if status == Status.STARTED else Outcome.UNDONE
            if work.told is not None:
                yield f"  {step} {said} wants {resolving.wanted(work.told)}"


def _definition_of(instance: SagaInstance) -> Saga:
    try:
        return definition_of(instance.definition)
    except UnknownDefinition as error:
        raise CommandError(str(error), returncode=ERROR) from error


def _statement(options: dict[str, Any]) -> Statement:
    grounds = Grounds(by=options["by"], reason=options["reason"], evidence=options["evidence"])
    return Statement(Outcome(options["outcome"]), grounds, dict(options["facts"]))


def _resume(instance: SagaInstance, step: str, statement: Statement) -> Resumption:
    """Have it go on, and log why: to the saga a resolution is nothing but a try that finds a definite row."""
    grounds = statement.grounds
    reason = f"{step} resolved as {statement.outcome}: {grounds.reason}; evidence: {grounds.evidence}"
    [resumption] = resuming.resume([instance.pk], Word(by=grounds.by, reason=reason))
    return resumption


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value
