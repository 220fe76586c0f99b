"""The request of a batch at a command line: its arguments, and its preview."""

from argparse import ArgumentParser, ArgumentTypeError

from django.core.management.base import CommandError

from orchestration.management import batch_tables
from orchestration.management.arguments import add_evidence, add_facts, number_between, number_from_zero
from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output
from orchestration.management.selection import NONE
from orchestration.management.subcommand import Options
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions import batches
from orchestration.operators.actions.batch_pacing import FASTEST, SLOWEST, Pace
from orchestration.operators.actions.batches import MEMBERS_LIMIT, USUAL_PACE, BatchPreview
from orchestration.operators.actions.requests import NEEDS_EVIDENCE, Actor, Ask, NotAsked
from orchestration.operators.insight.current_step import known_steps
from orchestration.operators.insight.saga_filter import SagaFilter
from orchestration.operators.representations.batches import BatchPreviewShown
from orchestration.participant.manual_outcome import ReportedOutcome

STATEMENT = ("of_step", "outcome", "facts", "evidence")


def add_action(parser: ArgumentParser) -> None:
    """Add the argument for the action."""
    actions = [action.value for action in OperatorAction]
    parser.add_argument("action", choices=actions, metavar="ACTION", help=", ".join(actions))


def add_statement(parser: ArgumentParser) -> None:
    """Add the arguments of resolve and settle: step, outcome, evidence and facts."""
    group = parser.add_argument_group("for resolve and settle")
    group.add_argument("--of-step", choices=known_steps(), metavar="STEP", help=", ".join(known_steps()))
    group.add_argument("--outcome", choices=[each.value for each in ReportedOutcome], help="for resolve")
    add_evidence(group, required=False)
    add_facts(group)


def add_pace(parser: ArgumentParser) -> None:
    """Add the arguments for the pace of the batch."""
    pace = parser.add_argument_group("how it goes")
    pace.add_argument(
        "--canary",
        type=_canary,
        default=USUAL_PACE.canary,
        metavar="N",
        help="how many go first; the others follow when their outcome is known (default: %(default)s)",
    )
    pace.add_argument(
        *("--per-second", "--rate"),
        type=number_between(SLOWEST, FASTEST),
        default=USUAL_PACE.per_second,
        metavar="N",
        help="then how many a second (default: %(default)g)",
    )
    pace.add_argument(
        "--stop-above-percent",
        type=number_between(0, 100),
        default=USUAL_PACE.stop_above_percent,
        metavar="PERCENT",
        help="stop when more than this share of the finished ones failed (default: %(default)g)",
    )


def ask_of(options: Options, actor: Actor) -> Ask:
    """Return the action that the options request.

    :raises CommandError: when something is missing, or is of no use to the action.
    """
    action, outcome = OperatorAction(options["action"]), options["outcome"]
    if action not in NEEDS_EVIDENCE and any(options[each] for each in STATEMENT):
        raise CommandError(f"step, outcome, facts and evidence are not for {action}", returncode=Exit.USAGE)
    try:
        return Ask(
            action,
            actor,
            options["reason"],
            step=options["of_step"] or "",
            outcome=ReportedOutcome(outcome) if outcome else None,
            facts=dict(options["facts"]),
            evidence=options["evidence"] or "",
        )
    except NotAsked as error:
        raise CommandError(str(error), returncode=Exit.USAGE) from error


def pace_of(options: Options) -> Pace:
    """Return the pace that the options give."""
    return Pace(options["canary"], options["per_second"], options["stop_above_percent"])


def tell_preview(wanted: SagaFilter, ask: Ask, output: Output) -> None:
    """Print what the batch would do.

    :raises CommandError: unless it is possible on each saga.
    """
    seen = batches.preview_batch(wanted, ask)
    output.write(BatchPreviewShown.of(seen), batch_tables.of_preview(seen))
    refuse_no_batch(seen)
    if seen.possible < seen.chosen:
        sentence = f"not possible on {seen.chosen - seen.possible} of {seen.chosen}"
        raise CommandError(sentence, returncode=Exit.SOME_FAILED if seen.possible else Exit.REFUSED)


def note_preview(seen: BatchPreview, output: Output) -> None:
    """Note what the batch cannot do, and how much money it is about, before the operator confirms it."""
    for why, count in seen.why_not.items():
        output.note(f"not possible on {count}: {why}")
    for sentence in seen.money:
        output.note(sentence)


def refuse_no_batch(seen: BatchPreview) -> None:
    """Refuse a batch of no saga or of too many.

    :raises CommandError: when there is no saga, or there are too many.
    """
    if not seen.chosen:
        raise CommandError(NONE, returncode=Exit.NOTHING_MATCHED)
    if seen.is_too_many:
        raise CommandError(f"more than {MEMBERS_LIMIT} sagas match: ask for fewer", returncode=Exit.REFUSED)


def _canary(text: str) -> int:
    count = number_from_zero(text)
    if count > MEMBERS_LIMIT:
        raise ArgumentTypeError(f"a batch has {MEMBERS_LIMIT} sagas at most")
    return count
