"""Subcommands: name, arguments and function of each."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.management.output import Output

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Subcommand:
    """A subcommand. `run` may raise `CommandError` with one of `Exit` as return code; else the exit code is 0."""

    name: str
    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Options, Output], None]
    description: Callable[[], str] | None = None
    """A longer text than `help` for `--help`, if there is one."""


def add_all(parser: ArgumentParser, subcommands: Iterable[Subcommand], *, dest: str = "command") -> None:
    """Add the subcommands to the parser; `dest` is the option that holds the name of the chosen one."""
    made = parser.add_subparsers(dest=dest, required=True, metavar="COMMAND")
    for each in subcommands:
        own = made.add_parser(each.name, help=each.help, description=each.help)
        if each.description:
            own.description, own.formatter_class = each.description(), RawDescriptionHelpFormatter
        each.add_arguments(own)


def run(subcommands: Iterable[Subcommand], name: str, options: Options, output: Output) -> None:
    """Run the subcommand of that name."""
    next(each for each in subcommands if each.name == name).run(options, output)
