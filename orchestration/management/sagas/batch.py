"""`manage.py saga batch start|list|show|approve|stop`: one action on many sagas, which workers carry out."""

from argparse import ArgumentParser
from dataclasses import replace
from datetime import timedelta

from django.core.management.base import CommandError

from orchestration.management import batch_tables
from orchestration.management.arguments import add_consent, add_format, add_limit, add_reason, add_wait, batch_id
from orchestration.management.batch_request import (
    add_action,
    add_pace,
    add_statement,
    ask_of,
    note_preview,
    pace_of,
    refuse_no_batch,
    tell_preview,
)
from orchestration.management.batch_watch import follow, judge
from orchestration.management.confirmation import refuse_without_consent
from orchestration.management.exit_codes import Exit
from orchestration.management.filter_arguments import add_filters
from orchestration.management.login import add_login, logged_in, named
from orchestration.management.output import Output
from orchestration.management.selection import choose_for_batch
from orchestration.management.subcommand import Options, Subcommand, add_all, run
from orchestration.models import ALIAS, Batch
from orchestration.models.actions import MOVES_MONEY, OperatorAction
from orchestration.models.operators import BatchState
from orchestration.operators.actions import batches
from orchestration.operators.actions.batch_keys import NotABatch
from orchestration.operators.actions.batches import OPEN, NoneChosen, NotApproved
from orchestration.operators.actions.permissions import STOP_BATCH, allowed, may_approve
from orchestration.operators.actions.requests import Ask
from orchestration.operators.insight.keyset import BadCursor, page_of
from orchestration.operators.insight.saga_filter import SagaFilter
from orchestration.operators.representations.batches import BatchListed, BatchShown
from orchestration.text import formatting

TWO_PEOPLE = "{action} moves money: a batch of it needs two people with accounts, ask for it with --as ACCOUNT"
SECOND = "it waits for a second person: manage.py saga batch approve {id} --as ACCOUNT"


def start(options: Options, output: Output) -> None:
    """Create a batch, or print what it would do.

    :raises CommandError: when there is none, or with --wait unless each of its members was done and did not fail.
    """
    ask, wanted = ask_of(options, named(options)), choose_for_batch(options, output)
    if options["dry_run"]:
        tell_preview(wanted, ask, output)
        return
    if ask.action in MOVES_MONEY and not options["account"]:
        raise CommandError(TWO_PEOPLE.format(action=ask.action), returncode=Exit.REFUSED)
    ask = replace(ask, actor=logged_in(options, may=lambda user: allowed(user, ask.action)))
    looked_at = None if options["yes"] else _consented_to(wanted, ask, options, output)
    _tell(_made(wanted, ask, options, looked_at), options, output)


def list_batches(options: Options, output: Output) -> None:
    """Print a page of batches.

    :raises CommandError: when there is none, or `--after` is no cursor.
    """
    rows = Batch.objects.using(ALIAS).all()
    if options["state"]:
        rows = rows.filter(state__in=options["state"])
    try:
        page = page_of(rows, batches.NEWEST_FIRST, after=options["after"], size=options["limit"])
    except BadCursor as error:
        raise CommandError(f"--after: {error}", returncode=Exit.USAGE) from error
    found = list(zip(page.rows, BatchListed.of_each(page.rows), strict=True))
    output.write([shown for _, shown in found], [batch_tables.of_batches(found)] if found else [])
    if not found:
        raise CommandError("no batch matches", returncode=Exit.NOTHING_MATCHED)
    if page.next:
        output.note(f"there are older batches: add --after {page.next}")


def show_batch(options: Options, output: Output) -> None:
    """Print one batch.

    :raises CommandError: when there is none, or with --wait unless each of its members was done and did not fail.
    """
    _tell(_found(options), options, output)


def approve(options: Options, output: Output) -> None:
    """Record the approval of a second person, or preview what the batch would do now.

    :raises CommandError: when it does not wait for approval, or not for this person; with --wait as when it is shown.
    """
    batch = _found(options)
    if batch.state != BatchState.ASKED:
        raise CommandError(f"it is {batch.state}, and does not wait for approval", returncode=Exit.REFUSED)
    if options["dry_run"]:
        tell_preview(batches.still_wanted(batch), batches.ask_of(batch), output)
        return
    actor = logged_in(options, may=lambda user: may_approve(user, OperatorAction(batch.action)))
    for name, fact in batch_tables.facts(BatchShown.of(batch)):
        output.note(f"{name}: {fact}")
    if not options["yes"]:
        _note_what_it_would_do_now(batch, output)
    refuse_without_consent(f"{_in_words(batch)}. Approve it?", options, output)
    try:
        _tell(batches.approve(batch, actor), options, output)
    except NotApproved as error:
        raise CommandError(f"nothing was changed: {error}", returncode=Exit.REFUSED) from error


def stop(options: Options, output: Output) -> None:
    """Stop a batch: it begins no further member.

    :raises CommandError: when there is none, or it has ended.
    """
    batch = _found(options)
    if batch.state not in OPEN:
        raise _ended(batch)
    if options["dry_run"]:
        _tell(batch, options, output)
        return
    actor = logged_in(options, may=lambda user: user.has_perm(STOP_BATCH))
    refuse_without_consent(f"{_in_words(batch)}. Stop it?", options, output)
    stopped = batches.stop(batch, actor, options["reason"])
    if stopped.state != BatchState.STOPPED:
        raise _ended(stopped)
    _tell(stopped, options, output)


def _consented_to(wanted: SagaFilter, ask: Ask, options: Options, output: Output) -> str:
    """Return the fingerprint of the sagas that the operator has agreed to."""
    seen, pace = batches.preview_batch(wanted, ask), pace_of(options)
    refuse_no_batch(seen)
    note_preview(seen, output)
    which = f"{formatting.count(seen.chosen, 'saga')} ({wanted.in_words()})"
    goes = f"{pace.canary} first, then {pace.per_second:g} a second"
    refuse_without_consent(f"{ask.action.capitalize()} {which}, {goes}?", options, output)
    return seen.fingerprint


def _note_what_it_would_do_now(batch: Batch, output: Output) -> None:
    seen = batches.preview_batch(batches.still_wanted(batch), batches.ask_of(batch))
    output.note(f"possible now on {seen.possible} of {batch.members_chosen}")
    note_preview(seen, output)


def _made(wanted: SagaFilter, ask: Ask, options: Options, looked_at: str | None) -> Batch:
    try:
        return batches.ask_for_batch(wanted, ask, pace_of(options), looked_at=looked_at)
    except NoneChosen as error:
        raise CommandError(str(error), returncode=Exit.NOTHING_MATCHED) from error
    except NotABatch as error:
        raise CommandError(f"nothing was changed: {error}", returncode=Exit.REFUSED) from error


def _tell(batch: Batch, options: Options, output: Output) -> None:
    if batch.state == BatchState.ASKED:
        output.note(SECOND.format(id=batch.pk))
    if options.get("wait"):
        batch = follow(batch, timedelta(seconds=options["wait"]), output)
    shown = BatchShown.of(batch)
    output.write(shown, batch_tables.of_batch(shown))
    if options.get("wait"):
        judge(batch)


def _found(options: Options) -> Batch:
    found = Batch.objects.using(ALIAS).filter(pk=options["id"]).first()
    if found is None:
        raise CommandError(f"there is no batch {options['id']}", returncode=Exit.NOTHING_MATCHED)
    return found


def _ended(batch: Batch) -> CommandError:
    return CommandError(f"nothing was changed: it is {batch.state}", returncode=Exit.REFUSED)


def _in_words(batch: Batch) -> str:
    which = f"{formatting.count(batch.members_chosen, 'saga')} ({batch.wanted_in_words})"
    return f"{batch.by} has asked to {batch.action} {which}: {batch.reason}"


def _add_start(parser: ArgumentParser) -> None:
    add_action(parser)
    add_filters(parser)
    add_reason(parser)
    add_login(parser)
    add_statement(parser)
    add_pace(parser)
    add_wait(parser)
    add_consent(parser)
    add_format(parser)


def _add_list(parser: ArgumentParser) -> None:
    states = BatchState.values
    parser.add_argument("--state", choices=states, action="append", default=[], metavar="STATE", help=", ".join(states))
    add_limit(parser, 50)
    parser.add_argument("--after", default="", metavar="CURSOR", help="the next page, as the one before names it")
    add_format(parser)


def _add_show(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=batch_id, metavar="BATCH")
    add_wait(parser)
    add_format(parser)


def _add_approve(parser: ArgumentParser) -> None:
    add_login(parser, required=True)
    add_consent(parser)
    _add_show(parser)


def _add_stop(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=batch_id, metavar="BATCH")
    add_reason(parser)
    add_login(parser)
    add_consent(parser)
    add_format(parser)


ACTS = (
    Subcommand("start", "ask for an action on many sagas; one that moves money waits for approval", _add_start, start),
    Subcommand("list", "batches, the newest first", _add_list, list_batches),
    Subcommand("show", "the progress of a batch, and what failed", _add_show, show_batch),
    Subcommand("approve", "be the second person of a batch that moves money", _add_approve, approve),
    Subcommand("stop", "begin no further member; those that are done stay done", _add_stop, stop),
)


def _add_acts(parser: ArgumentParser) -> None:
    add_all(parser, ACTS, dest="act")


def _run(options: Options, output: Output) -> None:
    run(ACTS, options["act"], options, output)


SUBCOMMANDS = (Subcommand("batch", "one action on many sagas, carried out by the workers", _add_acts, _run),)
