"""`manage.py locks list|show|break|approve`: the locks that sagas hold."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError

from orchestration.db import clocks
from orchestration.management import tables
from orchestration.management.arguments import add_consent, add_evidence, add_format, add_reason, words
from orchestration.management.confirmation import refuse_without_consent
from orchestration.management.exit_codes import IN_WORDS, Exit
from orchestration.management.login import add_login, logged_in
from orchestration.management.no_match import PlainlyEnding
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand, add_all, run
from orchestration.operators.actions import lock_breaks
from orchestration.operators.actions.lock_breaks import NoSuchLock, NotAskedFor, NotForThisPerson
from orchestration.operators.actions.permissions import BREAK_LOCK, User
from orchestration.operators.actions.recorded_action import NotDone, NotKnown
from orchestration.operators.insight.locks import LockState, locks
from orchestration.operators.representations.locks import LockBreakShown, LockShown
from orchestration.text import formatting

SECOND = "it waits for a second person: manage.py locks approve {resource} --as ACCOUNT"


class Command(PlainlyEnding):
    help = f"The locks that sagas hold, and the sagas that wait for them. {IN_WORDS}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_all(parser, SUBCOMMANDS)

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        output = Output(self.stdout, self.stderr, options["format"])
        try:
            run(SUBCOMMANDS, command, options, output)
        except NoSuchLock as error:
            raise CommandError(str(error), returncode=Exit.NOTHING_MATCHED) from error
        except (NotForThisPerson, NotAskedFor) as error:
            raise CommandError(f"nothing was changed: {error}", returncode=Exit.REFUSED) from error
        except NotDone as error:
            raise CommandError(f"nothing was changed: {error}", returncode=Exit.ERROR) from error
        except NotKnown as error:
            raise CommandError(str(error), returncode=Exit.ERROR) from error


def _list(options: Options, output: Output) -> None:
    found = locks()
    _print(found.locks, output)
    if found.down:
        raise CommandError("; ".join(each.why for each in found.down), returncode=Exit.ERROR)
    if not found.locks:
        raise CommandError("no lock is held", returncode=Exit.NOTHING_MATCHED)
    if found.is_more:
        output.note(f"only the {len(found.locks)} that have been held longest are listed")


def _show(options: Options, output: Output) -> None:
    lock, now = lock_breaks.held_lock(options["resource"]), clocks.now()
    turns = ((turn.saga_id, turn.step, formatting.span(now - turn.since)) for turn in lock.turns)
    queue = tables.table_of("sagas that wait for it, the next first", ("id", "step", "for"), turns)
    output.write(LockShown.of(lock), [_table([lock]), queue])
    if request := lock_breaks.asked_for(lock):
        output.note(f"{request.asked_by} has asked to break it: {request.reason}. Evidence: {request.evidence}")


def _break(options: Options, output: Output) -> None:
    lock = lock_breaks.held_lock(options["resource"])
    if options["dry_run"]:
        _print([lock], output)
        return
    actor = logged_in(options, may=_may)
    refuse_without_consent(f"{_in_words(lock)} Ask to break its lock?", options, output)
    request = lock_breaks.ask_to_break(
        options["resource"], actor=actor, reason=options["reason"], evidence=options["evidence"]
    )
    output.write(LockBreakShown.of(request), [_table([lock])])
    output.note(SECOND.format(resource=options["resource"]))


def _approve(options: Options, output: Output) -> None:
    lock = lock_breaks.held_lock(options["resource"])
    request = lock_breaks.asked_for(lock)
    if request is None:
        raise NotAskedFor(f"there is no request to break {lock.resource} as it is held now")
    output.note(f"{request.asked_by} asks: {request.reason}. Evidence: {request.evidence}")
    if options["dry_run"]:
        _print([lock], output)
        return
    actor = logged_in(options, may=_may)
    refuse_without_consent(f"{_in_words(lock)} Break its lock?", options, output)
    broken = lock_breaks.approve_break(options["resource"], actor=actor)
    output.write(LockBreakShown.of(broken.request), [_table([lock])])
    output.note(f"saga {broken.handed_to.saga_id} has the lock now" if broken.handed_to else "the resource is free now")


def _may(user: User) -> bool:
    return user.has_perm(BREAK_LOCK)


def _in_words(lock: LockState) -> str:
    status = f", {lock.status}" if lock.status else ""
    return f"{lock.resource} is held by saga {lock.holder} ({lock.step}{status})."


def _print(found: Sequence[LockState], output: Output) -> None:
    output.write(LockShown.of_each(found), [_table(found)] if found else [])


def _table(found: Sequence[LockState]) -> Any:
    now = clocks.now()
    columns = (
        *("resource", "service", "held by saga", "definition"),
        *("status", "taken by step", "now at", "last error"),
        *("for", "waiting"),
    )
    rows = (
        (
            *(lock.resource, lock.service, lock.holder, lock.saga.definition if lock.saga else "no such saga"),
            *(lock.status, lock.step, lock.current_step, lock.last_error),
            *(formatting.span(now - lock.since), len(lock.turns)),
        )
        for lock in found
    )
    return tables.table_of(None, columns, rows)


def _add_resource(parser: ArgumentParser) -> None:
    parser.add_argument("resource", type=words, metavar="RESOURCE", help="as in the list, such as order:0198…")
    add_format(parser)


def _add_break(parser: ArgumentParser) -> None:
    _add_resource(parser)
    add_reason(parser)
    add_evidence(parser)
    add_login(parser, required=True)
    add_consent(parser)


def _add_approve(parser: ArgumentParser) -> None:
    _add_resource(parser)
    add_login(parser, required=True)
    add_consent(parser)


SUBCOMMANDS = (
    Subcommand("list", "the locks that are held, those held longest first", add_format, _list),
    Subcommand("show", "one lock, and the sagas that wait for it", _add_resource, _show),
    Subcommand("break", "ask to take a lock from its saga; a second person must approve it", _add_break, _break),
    Subcommand("approve", "be the second person: take the lock from its saga", _add_approve, _approve),
)
