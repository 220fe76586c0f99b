"""`manage.py saga list|show|resume|resolve|settle|preflight`: look at sagas, and help them on."""

import json
import logging
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.db.models import Q
from rich.table import Table

from orchestration import dispatch, preflight
from orchestration.case import case_of
from orchestration.finding import newest_sagas
from orchestration.management import preflighting, resolving, resuming, settling, shown, tables
from orchestration.management.arguments import add_format, add_word, whole_number, words
from orchestration.management.resuming import Outcome, Resumption, Word
from orchestration.standing import STATUSES, has_status, known_steps, stands_at

logger = logging.getLogger(__name__)

ERROR, USAGE, NOTHING_MATCHED = 1, 2, 3
"""Exit codes."""


class Command(BaseCommand):
    help = "Look at sagas and help them on. Exit code 0: done, 1: error, 2: misuse, 3: nothing matched, 5: refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        _add_list(commands.add_parser("list", help="sagas, the newest first"))
        _add_show(commands.add_parser("show", help="one saga: its row, steps, log, and what the services remember"))
        _add_resume(commands.add_parser("resume", help="have sagas try again now what they owe"))
        _add_resolve(commands.add_parser("resolve", help="settle an unknown outcome on a person's word"))
        _add_settle(commands.add_parser("settle", help=settling.HELP))
        add_format(commands.add_parser("preflight", help=preflighting.HELP))

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        run = {
            "list": self.list_sagas,
            "show": self.show_saga,
            "resume": self.resume_sagas,
            "resolve": self.resolve_step,
            "settle": self.settle_rows,
            "preflight": self.preflight,
        }
        try:
            run[command](options)
        except Error as error:
            raise CommandError(f"a database does not answer: {error}") from error

    def list_sagas(self, options: dict[str, Any]) -> None:
        limit = options["limit"]
        sagas = list(newest_sagas().filter(_wanted(options))[: limit + 1])
        listed = sagas[:limit]
        table = tables.of_sagas(listed, now=datetime.now(UTC))
        self._say(options, [shown.saga(saga) for saga in listed], [table] if listed else [])
        if not listed:
            raise CommandError("no saga matches", returncode=NOTHING_MATCHED)
        if len(sagas) > limit:
            self.stderr.write(f"only the newest {limit} are listed; --limit shows more")

    def show_saga(self, options: dict[str, Any]) -> None:
        case = case_of(options["id"])
        if case is None:
            raise CommandError(f"there is no saga {options['id']}", returncode=NOTHING_MATCHED)
        self._say(options, shown.case(case), tables.of_case(case, now=datetime.now(UTC)))

    def resume_sagas(self, options: dict[str, Any]) -> None:
        _refuse_unclear(options)
        if not dispatch.broker_is_ready():
            raise CommandError("the broker does not answer: nothing can be sent, and nothing was changed")
        if options["stuck"]:
            self._recover(options)
            return
        word = Word(by=options["by"], reason=options["reason"])
        sagas = resuming.resume_parked(word) if options["parked"] else resuming.resume(options["ids"], word)
        resumptions = list(sagas)
        table = tables.of_resumptions(resumptions)
        self._say(options, [shown.resumption(each) for each in resumptions], [table] if resumptions else [])
        _judge(resumptions)

    def resolve_step(self, options: dict[str, Any]) -> None:
        made = resolving.resolve(options)
        self._say(options, resolving.shown(made), [resolving.as_table(made)])

    def settle_rows(self, options: dict[str, Any]) -> None:
        rounds = settling.settle(options)
        self._say(options, settling.shown(rounds), [settling.as_table(rounds)])

    def preflight(self, options: dict[str, Any]) -> None:
        found = preflight.inspect()
        self._say(options, preflighting.shown(found), preflighting.as_tables(found))
        if found.problems:
            concerned = {saga_id for ids in found.problems.values() for saga_id in ids}
            raise CommandError(f"{len(concerned)} unfinished sagas cannot be carried on by this code", returncode=ERROR)

    def _recover(self, options: dict[str, Any]) -> None:
        if not resuming.due_sagas():
            raise CommandError("no saga is due", returncode=NOTHING_MATCHED)
        logger.info("%s has recovery run: %s", options["by"], options["reason"])
        rounds = resuming.recover(timedelta(seconds=options["patience"]))
        self._say(options, shown.rounds(rounds), [tables.of_rounds(rounds)])
        if rounds.due:
            raise CommandError(f"{rounds.due} sagas are still due: whether their messages are lost is not known yet")

    def _say(self, options: dict[str, Any], value: Any, as_tables: Iterable[Table]) -> None:
        if options["format"] == "json":
            self.stdout.write(json.dumps(value, indent=2, ensure_ascii=False))
        else:
            tables.show(as_tables, self.stdout)


def saga_id(text: str) -> UUID:
    """:raises ArgumentTypeError: when it is not a UUID."""
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a saga's id") from None


def _add_list(parser: ArgumentParser) -> None:
    parser.add_argument("--status", choices=STATUSES, action="append", default=[], help="may be given several times")
    parser.add_argument("--definition", metavar="NAME", help="such as checkout.v1")
    parser.add_argument("--step", choices=known_steps(), help="the step whose answer is owed next")
    parser.add_argument("--customer", metavar="ID")
    parser.add_argument("--limit", type=whole_number, default=50, metavar="N", help="at most so many (default: 50)")
    add_format(parser)


def _add_show(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=saga_id, metavar="ID")
    add_format(parser)


def _add_resume(parser: ArgumentParser) -> None:
    parser.add_argument("ids", type=saga_id, nargs="*", metavar="ID")
    parser.add_argument("--parked", action="store_true", help="every saga that is parked")
    parser.add_argument(
        "--stuck", action="store_true", help="run rounds of recovery for what is due, in place of the workers' loops"
    )
    add_word(parser)
    parser.add_argument(
        "--patience", type=whole_number, default=30, metavar="SECONDS", help="how long --stuck goes on (default: 30)"
    )
    add_format(parser)


def _add_resolve(parser: ArgumentParser) -> None:
    parser.description, parser.formatter_class = resolving.description(), RawDescriptionHelpFormatter
    parser.add_argument("id", type=saga_id, metavar="ID")
    resolving.add_arguments(parser)
    parser.add_argument("--evidence", type=words, required=True, help="what shows it, such as a statement's number")
    add_word(parser)
    add_format(parser)


def _add_settle(parser: ArgumentParser) -> None:
    settling.add_arguments(parser)
    add_format(parser)


def _wanted(options: dict[str, Any]) -> Q:
    condition = Q()
    for status in options["status"]:
        condition |= has_status(status)
    if options["definition"]:
        condition &= Q(definition=options["definition"])
    if options["step"]:
        condition &= stands_at(options["step"])
    if options["customer"]:
        condition &= Q(customer_id=options["customer"])
    return condition


def _refuse_unclear(options: dict[str, Any]) -> None:
    if sum(map(bool, (options["ids"], options["parked"], options["stuck"]))) != 1:
        raise CommandError("say which: sagas by id, --parked, or --stuck", returncode=USAGE)


def _judge(resumptions: list[Resumption]) -> None:
    """:raises CommandError: unless every saga has been resumed, or owes nothing."""
    outcomes = {each.outcome for each in resumptions}
    if outcomes <= {Outcome.UNKNOWN}:
        raise CommandError("no such saga" if outcomes else "no saga is parked", returncode=NOTHING_MATCHED)
    if bad := [each for each in resumptions if each.outcome in (Outcome.UNKNOWN, Outcome.FAILED, Outcome.NOT_SENT)]:
        raise CommandError(f"{len(bad)} of {len(resumptions)} could not be resumed", returncode=ERROR)
