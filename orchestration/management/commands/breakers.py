"""`manage.py breakers list|open|close`: the circuit breakers around gateway and carrier."""

import logging
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from redis.exceptions import RedisError
from rich.table import Table

from orchestration import wording
from orchestration.management.arguments import add_consent, add_format, add_word, span
from orchestration.management.consent import refuse_without_consent
from orchestration.management.exits import IN_WORDS, Exit
from orchestration.management.saying import Voice
from orchestration.management.subcommand import Options, Subcommand, add_all, run
from orchestration.participant import breakers
from orchestration.participant.breaker import Breaker

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = f"The circuit breakers around gateway and carrier. {IN_WORDS}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_all(parser, SUBCOMMANDS)

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        voice = Voice(self.stdout, self.stderr, options["format"])
        try:
            run(SUBCOMMANDS, command, options, voice)
        except RedisError as error:
            raise CommandError(f"nothing was changed: Redis does not answer: {error}", returncode=Exit.ERROR) from error


def _list(_: Options, voice: Voice) -> None:
    _say(list(breakers.in_use().values()), voice)


def _open(options: Options, voice: Voice) -> None:
    until = datetime.now(UTC) + options["for"]
    question = f"Make no call through {options['breaker']} before {wording.moment(until)}?"
    _change(options, voice, question, lambda breaker: breaker.force_open(until=until))


def _close(options: Options, voice: Voice) -> None:
    _change(options, voice, f"Have every call through {options['breaker']} made?", lambda breaker: breaker.close())


def _change(options: Options, voice: Voice, question: str, change: Callable[[Breaker], None]) -> None:
    breaker = breakers.in_use().get(options["breaker"])
    if breaker is None:
        named = ", ".join(breakers.in_use())
        raise CommandError(f"there is no breaker {options['breaker']}, only {named}", returncode=Exit.NOTHING_MATCHED)
    if not options["dry_run"]:
        refuse_without_consent(question, options, voice)
        change(breaker)
        logger.warning("%s has changed breaker %s (%s): %s", options["by"], breaker.name, question, options["reason"])
    _say([breaker], voice)


def _say(found: list[Breaker], voice: Voice) -> None:
    table = Table("breaker", "state", "no call before", box=None, pad_edge=False)
    for breaker in found:
        table.add_row(breaker.name, breaker.state(), wording.moment(breaker.open_until()))
    voice.say([_shown(breaker) for breaker in found], [table])


def _shown(breaker: Breaker) -> dict[str, Any]:
    until = breaker.open_until()
    return {"name": breaker.name, "state": breaker.state(), "open_until": until.isoformat() if until else None}


def _add_change(parser: ArgumentParser) -> None:
    parser.add_argument("breaker", metavar="NAME", help="as in the list")
    add_word(parser)
    add_consent(parser)
    add_format(parser)


def _add_open(parser: ArgumentParser) -> None:
    parser.add_argument("--for", type=span, required=True, metavar="SPAN", help="such as 10m")
    _add_change(parser)


SUBCOMMANDS = (
    Subcommand("list", "every breaker and its state; closed while Redis is away", add_format, _list),
    Subcommand("open", "make no calls for a while: orders wait, and it is no attempt", _add_open, _open),
    Subcommand("close", "have calls made again at once, instead of a probe first", _add_change, _close),
)
