"""`manage.py saga settle`: one round of settling now, beside those of the workers."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict, astuple
from typing import Any

from rich.table import Table

from orchestration.participant import settling
from orchestration.participant.participant import participants
from orchestration.participant.settling import Round

HELP = "ask gateway and carrier now what became of calls whose outcome is unknown; nothing is called again"


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments that only this command has."""
    parser.add_argument("--service", choices=_services_that_call_outside(), help="only this one's")


def settle(options: dict[str, Any]) -> dict[str, Round]:
    """Run a round for each service that calls outside."""
    chosen = [options["service"]] if options["service"] else _services_that_call_outside()
    return {service: settling.settle_open_rows(participants()[service]) for service in chosen}


def shown(rounds: Mapping[str, Round]) -> dict[str, Any]:
    """The rounds as a JSON-ready value."""
    return {service: asdict(made) for service, made in rounds.items()}


def as_table(rounds: Mapping[str, Round]) -> Table:
    """The rounds as a table."""
    table = Table("service", "settled", "not known there yet", "failed", box=None, pad_edge=False)
    for service, made in rounds.items():
        table.add_row(service, *map(str, astuple(made)))
    return table


def _services_that_call_outside() -> list[str]:
    return [service for service, participant in participants().items() if settling.commands_outside(participant)]
