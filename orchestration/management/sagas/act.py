"""`manage.py saga resume|retry|compensate|cancel|pause|unpause|settle`: an operator's actions."""

import logging
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict, astuple
from datetime import timedelta
from functools import partial

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.engine import dispatch
from orchestration.management import tables
from orchestration.management.arguments import (
    add_consent,
    add_evidence,
    add_facts,
    add_format,
    add_justification,
    add_limit,
    add_wait,
    number,
    whole_number,
)
from orchestration.management.carry_out import ActionDone, do, judge, judge_previews, previews
from orchestration.management.confirmation import refuse_without_consent
from orchestration.management.exit_codes import Exit
from orchestration.management.filter_arguments import add_filters
from orchestration.management.outcome_wait import judge_outcomes, seen_through
from orchestration.management.output import JSONL, Output
from orchestration.management.recovery_rounds import due_sagas, recover
from orchestration.management.selection import Chosen, choose
from orchestration.management.subcommand import Options, Subcommand
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.requests import Actor, Ask, NotAsked
from orchestration.operators.insight.current_step import known_steps
from orchestration.operators.representations.actions import PreviewShown
from orchestration.text import formatting

logger = logging.getLogger(__name__)

HELPS = {
    OperatorAction.RESUME: "try again now every step that is due or parked; --stuck is for cron",
    OperatorAction.RETRY: "try again now the steps that wait; parked steps stay parked",
    OperatorAction.COMPENSATE: "undo every step that was done, where that is still possible",
    OperatorAction.CANCEL: "cancel the order, as its customer would",
    OperatorAction.PAUSE: "send nothing until the saga is unpaused; a message in flight still reports",
    OperatorAction.UNPAUSE: "let paused sagas continue",
    OperatorAction.SETTLE: "record that a parked step was settled by hand: it is not called or compensated any more",
}
SENDS = frozenset({OperatorAction.RESUME, OperatorAction.RETRY})
"""Actions that only send messages: without a broker they do nothing."""


def act(action: OperatorAction, options: Options, output: Output) -> None:
    """Preview the action, or carry it out and print the outcome.

    :raises CommandError: with the exit code, unless everything was done.
    """
    if action in SENDS and not options["dry_run"] and not dispatch.broker_is_ready():
        raise CommandError(
            "the broker does not answer: nothing can be sent, and nothing was changed", returncode=Exit.ERROR
        )
    ask, chosen = ask_for(action, options), choose(action, options, output)
    if options["dry_run"]:
        looked_at = list(previews(chosen, ask))
        output.write(PreviewShown.of_each(looked_at), [tables.of_previews(looked_at)])
        judge_previews(looked_at)
        return
    _ask_for_consent(chosen, ask, options, output)
    done = list(_carried_out(chosen, ask, options, output))
    if output.form != JSONL:
        output.write([each.as_json() for each in done], [_done_table(done)])
    judge(done)
    if options["wait"]:
        judge_outcomes([each.entry for each in done if each.entry])


def ask_for(action: OperatorAction, options: Options) -> Ask:
    """Return the action that the options request.

    :raises CommandError: when void and facts are both given.
    """
    actor, reason = Actor(options["by"], None, Via.COMMAND), options["reason"]
    if action is not OperatorAction.SETTLE:
        return Ask(action, actor, reason)
    statement = {"facts": dict(options["facts"]), "evidence": options["evidence"], "void": options["void"]}
    try:
        return Ask(action, actor, reason, step=options["of_step"], **statement)
    except NotAsked as error:
        raise CommandError(str(error), returncode=Exit.USAGE) from error


def resume(options: Options, output: Output) -> None:
    """Run rounds of recovery with --stuck; else carry out the action."""
    if not options["stuck"]:
        act(OperatorAction.RESUME, options, output)
        return
    if options["ids"] or options["status"]:
        raise CommandError("--stuck is for all due sagas: name none with it", returncode=Exit.USAGE)
    if not dispatch.broker_is_ready():
        raise CommandError("the broker does not answer: nothing can be sent", returncode=Exit.ERROR)
    if not due_sagas():
        sentence = "no saga is due" if sys.stderr.isatty() else ""  # cron would send it as a mail every minute
        raise CommandError(sentence, returncode=Exit.NOTHING_MATCHED)
    logger.info("%s runs recovery: %s", options["by"], options["reason"])
    rounds = recover(timedelta(seconds=options["patience"]))
    table = Table("rounds", "sagas looked at", "still due", box=None, pad_edge=False)
    table.add_row(*map(str, astuple(rounds)))
    output.write(asdict(rounds), [table])
    if rounds.due:
        sentence = (
            f"{formatting.count(rounds.due, 'saga')} still due: it is not known yet whether their messages are lost"
        )
        raise CommandError(sentence, returncode=Exit.TIMED_OUT)


def _ask_for_consent(chosen: Chosen, ask: Ask, options: Options, output: Output) -> None:
    if not options["yes"] and len(chosen) == 1:
        for each in previews(chosen, ask):
            for sentence in (each.why_not, *each.will, *each.money):
                output.note(sentence)
    which = chosen.selection.in_words()
    refuse_without_consent(
        f"{ask.action.capitalize()} {formatting.count(len(chosen), 'saga')} ({which})?", options, output
    )


def _carried_out(chosen: Chosen, ask: Ask, options: Options, output: Output) -> Iterator[ActionDone]:
    done = do(chosen, ask, per_second=options["rate"])
    with output.counting(ask.action.value, len(chosen)) as bar:
        if options["wait"]:
            done = seen_through(list(done), timedelta(seconds=options["wait"]))
        for each in done:
            if output.form == JSONL:
                output.line(each.as_json())
            bar.advance()
            yield each


def _done_table(done: list[ActionDone]) -> Table:
    table = Table("id", "outcome", "phase", "observed", "detail", box=None, pad_edge=False)
    for each in done:
        shown = each.as_json()
        detail = " ".join(dict.fromkeys(filter(None, [shown["detail"], shown["observed_detail"]])))
        table.add_row(shown["id"], shown["code"], shown["phase"] or "", shown["observed"] or "", detail)
    return table


def _add_act(parser: ArgumentParser) -> None:
    add_filters(parser)
    add_justification(parser)
    add_limit(parser, None)
    parser.add_argument("--rate", type=number, metavar="N", help="at most this many a second (default: no limit)")
    add_wait(parser)
    add_consent(parser)
    add_format(parser)


def _add_resume(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--parked", action="append_const", dest="status", const="parked", default=[], help="the same as --status parked"
    )
    parser.add_argument(
        "--stuck", action="store_true", help="run rounds of recovery for what is due, in place of the workers' loops"
    )
    parser.add_argument(
        "--patience", type=whole_number, default=30, metavar="SECONDS", help="how long --stuck goes on (default: 30)"
    )
    _add_act(parser)


def _add_settle(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--of-step",
        choices=known_steps(),
        required=True,
        metavar="STEP",
        help="the parked step; " + ", ".join(known_steps()),
    )
    add_evidence(parser)
    add_facts(parser)
    parser.add_argument(
        "--void", action="store_true", help="have what a settled capture leaves on hold at the gateway voided"
    )
    _add_act(parser)


_ARGUMENTS = {OperatorAction.RESUME: _add_resume, OperatorAction.SETTLE: _add_settle}
SUBCOMMANDS = tuple(
    Subcommand(
        action.value,
        help_text,
        _ARGUMENTS.get(action, _add_act),
        resume if action is OperatorAction.RESUME else partial(act, action),
    )
    for action, help_text in HELPS.items()
)
