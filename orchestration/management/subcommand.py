"""A subcommand: its name, its arguments and what it does."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.management.output import Output

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Subcommand:
    """`run` may raise `CommandError` with one of `Exit` as its return code; else the command ends with 0."""

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Options, Output], None]
    description: Callable[[], str] | None = None
    """What `--help` says at length, if there is more to say than `help`."""


def add_all(parser: ArgumentParser, subcommands: Iterable[Subcommand], *, dest: str = "command") -> None:
    """Make each a subcommand of the parser; `dest` is the option that has its name."""
    made = parser.add_subparsers(dest=dest, required=True, metavar="COMMAND")
    for each in subcommands:
        own = made.add_parser(each.name, help=each.help, description=each.help)
        if each.description:
            own.description, own.formatter_class = each.description(), RawDescriptionHelpFormatter
        each.add_arguments(own)


def run(subcommands: Iterable[Subcommand], name: str, options: Options, output: Output) -> None:
    """Run the one of that name."""
    next(each for each in subcommands if each.name == name).run(options, output)
