"""`manage.py saga resolve`: an operator records the outcome of a call that gateway or carrier cannot be asked about."""

from argparse import ArgumentParser
from collections.abc import Iterator
from enum import StrEnum

from django.core.management.base import CommandError

from orchestration.engine import selectors
from orchestration.management.arguments import (
    add_consent,
    add_evidence,
    add_facts,
    add_format,
    add_justification,
    saga_id,
)
from orchestration.management.confirmation import refuse_without_consent
from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand
from orchestration.management.tables import table_of
from orchestration.models import OperatorLogEntry, SagaInstance
from orchestration.models.actions import Code, OperatorAction, Via
from orchestration.operators.actions import ledger_actions
from orchestration.operators.actions.ledger_actions import NotConcluded
from orchestration.operators.actions.perform import carry_out
from orchestration.operators.actions.requests import Actor, Ask, WhyNot
from orchestration.operators.insight.current_step import known_steps
from orchestration.operators.insight.redaction import redacted
from orchestration.participant.ledger import Status
from orchestration.participant.manual_outcome import ReportedOutcome, Resolved
from orchestration.participant.participant import participants
from orchestration.protocol.states import ENDED
from orchestration.sagas import UnknownDefinition, definition_of

_EXITS = {
    Code.UNKNOWN_DEFINITION: Exit.ERROR,
    Code.NO_SUCH_STEP: Exit.NOTHING_MATCHED,
    Code.NO_SUCH_ROW: Exit.NOTHING_MATCHED,
}

HELP = """
Resolve a step whose outcome is unknown (its ledger row is started or undoing), and let the saga continue.
done: the action was executed. not-done: it was not, and never will be. undone: what it did is reversed, or it
never did anything. The row keeps who said so, why, and the evidence; so does the saga's log. Exit code 5: nothing was
changed, because the row is not open, the outcome does not fit it, or a fact is missing or wrong; the error lists the
facts that are needed.

An outcome is final: nothing is queried or called for that row again. If you say not-done of an action that was done
after all, the money stays held, or the parcel booked, for an order that is given up: manage.py audit reports it, and
you must release it at the gateway or carrier by hand. If you say done of an action that was not done, a later step or
a compensation fails there, and is parked.
After the pivot, not-done is refused, because the step must still happen: do it manually, then say done.
"""


class Becomes(StrEnum):
    """What happens to the saga after the outcome was recorded."""

    RESUMED = "resumed"
    NOT_SENT = "not_sent"
    """It is recorded, but the broker is unavailable. Recovery sends the message when the broker is back."""
    ENDED = "ended"
    """Nothing is left to do."""
    UNKNOWN = "unknown"
    """The saga does not exist any more."""


def resolve(options: Options, output: Output) -> None:
    """Record the outcome of the step, then let the saga continue.

    A command that dies in between leaves a resolved row: `saga resume` does the rest.

    :raises CommandError: when nothing was changed.
    """
    if not options["dry_run"]:
        question = f"Record that {options['step']} of saga {options['id']} is {options['outcome']}? That is final."
        refuse_without_consent(question, options, output)
    instance = selectors.saga(options["id"])
    if instance is None:
        raise CommandError(f"there is no saga {options['id']}", returncode=Exit.NOTHING_MATCHED)
    ask, becomes = _ask(options), None
    if options["dry_run"]:
        resolved = _rehearsed(instance, ask)
    else:
        made = carry_out(instance.pk, ask)
        if made.row is None:
            raise _refused(WhyNot(Code(made.entry.code), made.entry.detail))
        resolved, becomes = made.row, _becomes(made.entry)
    _write(instance, ask, resolved, becomes, output)


def description() -> str:
    """Return what the command does, and the facts that each step wants."""
    return "\n".join([HELP, "Facts (one --fact NAME=VALUE for each):", *_facts_wanted()])


def _write(instance: SagaInstance, ask: Ask, resolved: Resolved, becomes: Becomes | None, output: Output) -> None:
    columns = ("id", "step", "was", "is", "saga")
    cells = (instance.pk, ask.step, resolved.was, resolved.status, becomes or "nothing was changed: --dry-run")
    value = {
        "id": str(instance.pk),
        "step": ask.step,
        "was": resolved.was,
        "status": resolved.status,
        "answer": redacted(resolved.answer, definition=instance.definition),
        "refusal": resolved.refusal,
        "saga": becomes,
        "dry_run": becomes is None,
    }
    output.write(value, [table_of(None, columns, [cells])])


def _facts_wanted() -> Iterator[str]:
    for participant in participants().values():
        for (status, step), wanted in ledger_actions.facts_needed(participant).items():
            outcome = ReportedOutcome.DONE if status == Status.STARTED else ReportedOutcome.UNDONE
            yield f"  {step} {outcome} wants {wanted}"


def _rehearsed(instance: SagaInstance, ask: Ask) -> Resolved:
    try:
        saga = definition_of(instance.definition)
    except UnknownDefinition as error:
        raise _refused(WhyNot(Code.UNKNOWN_DEFINITION, str(error))) from error
    if ask.step not in saga.by_name:
        raise _refused(WhyNot(Code.NO_SUCH_STEP, f"{saga.name} has no step {ask.step}."))
    try:
        return ledger_actions.conclude(instance, saga, ask, rehearsed=True).row
    except NotConcluded as error:
        raise _refused(error.why) from error


def _becomes(entry: OperatorLogEntry) -> Becomes:
    instance = selectors.saga(entry.saga_id)
    if instance is None:
        return Becomes.UNKNOWN
    if instance.phase in ENDED:
        return Becomes.ENDED
    was_sent = instance.in_flight or instance.version != entry.after["version"]
    return Becomes.RESUMED if was_sent else Becomes.NOT_SENT


def _refused(why: WhyNot) -> CommandError:
    return CommandError(why.sentence, returncode=_EXITS.get(why.code, Exit.REFUSED))


def _ask(options: Options) -> Ask:
    return Ask(
        OperatorAction.RESOLVE,
        Actor(options["by"], None, Via.COMMAND),
        options["reason"],
        step=options["step"],
        outcome=ReportedOutcome(options["outcome"]),
        facts=dict(options["facts"]),
        evidence=options["evidence"],
    )


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=saga_id, metavar="ID")
    parser.add_argument("step", choices=known_steps(), metavar="STEP", help=", ".join(known_steps()))
    parser.add_argument("--outcome", choices=[each.value for each in ReportedOutcome], required=True)
    add_facts(parser)
    add_evidence(parser)
    add_justification(parser)
    add_consent(parser)
    add_format(parser)


SUBCOMMANDS = (
    Subcommand(
        "resolve",
        "record the outcome of a call that was never answered",
        _add_arguments,
        resolve,
        description=description,
    ),
)
