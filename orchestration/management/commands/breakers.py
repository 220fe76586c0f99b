"""`manage.py breakers list|open|close`: the circuit breakers around gateway and carrier."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from orchestration.management.arguments import add_consent, add_format, add_justification, span
from orchestration.management.confirmation import refuse_without_consent
from orchestration.management.exit_codes import IN_WORDS, Exit
from orchestration.management.no_match import PlainlyEnding
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand, add_all, run
from orchestration.models.actions import Via
from orchestration.operators.actions.breakers import close_breaker, open_breaker, time_after
from orchestration.operators.actions.recorded_action import NotDone, NotKnown
from orchestration.operators.actions.requests import Actor
from orchestration.operators.insight.breakers import BreakerNow, breakers
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.representations.machinery import BreakerShown
from orchestration.text import formatting


class Command(PlainlyEnding):
    help = f"The circuit breakers around gateway and carrier. {IN_WORDS}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_all(parser, SUBCOMMANDS)

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        output = Output(self.stdout, self.stderr, options["format"])
        try:
            run(SUBCOMMANDS, command, options, output)
        except NotDone as error:
            raise CommandError(f"nothing was changed: {error}", returncode=Exit.ERROR) from error
        except NotKnown as error:
            raise CommandError(str(error), returncode=Exit.ERROR) from error


def _list(_: Options, output: Output) -> None:
    _print(_breakers(), output)


def _open(options: Options, output: Output) -> None:
    until = time_after(options["for"])
    question = f"Make no call through {options['breaker']} before {formatting.moment(until)}?"
    _change(options, output, question, partial(open_breaker, until=until))


def _close(options: Options, output: Output) -> None:
    _change(options, output, f"Have every call through {options['breaker']} made?", close_breaker)


def _change(options: Options, output: Output, question: str, change: Callable[..., None]) -> None:
    name = options["breaker"]
    if name not in (named := [each.name for each in _breakers()]):
        sentence = f"there is no breaker {name}, only {', '.join(named)}"
        raise CommandError(sentence, returncode=Exit.NOTHING_MATCHED)
    if not options["dry_run"]:
        refuse_without_consent(question, options, output)
        change(name, actor=Actor(options["by"], None, Via.COMMAND), reason=options["reason"])
    _print([each for each in _breakers() if each.name == name], output)


def _breakers() -> tuple[BreakerNow, ...]:
    found = breakers()
    if isinstance(found, Unavailable):
        raise CommandError(f"{found}: every breaker counts as closed", returncode=Exit.ERROR)
    return found


def _print(found: Sequence[BreakerNow], output: Output) -> None:
    table = Table("breaker", "state", "failures in a row", "next probe", box=None, pad_edge=False)
    for each in found:
        table.add_row(each.name, each.state, str(each.failures), formatting.moment(each.next_probe))
    output.write(BreakerShown.of_each(found), [table])


def _add_change(parser: ArgumentParser) -> None:
    parser.add_argument("breaker", metavar="NAME", help="as in the list")
    add_justification(parser)
    add_consent(parser)
    add_format(parser)


def _add_open(parser: ArgumentParser) -> None:
    parser.add_argument("--for", type=span, required=True, metavar="SPAN", help="such as 10m")
    _add_change(parser)


SUBCOMMANDS = (
    Subcommand("list", "every breaker and its state", add_format, _list),
    Subcommand("open", "make no calls for a while: orders wait, and it is no attempt", _add_open, _open),
    Subcommand("close", "have calls made again at once, instead of a probe first", _add_change, _close),
)
