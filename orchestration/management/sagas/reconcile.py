"""`manage.py saga ask-outside`: reconciles open external calls once, now, in addition to the workers."""

from argparse import ArgumentParser
from dataclasses import asdict, astuple

from rich.table import Table

from orchestration.management.arguments import add_format
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand
from orchestration.participant import reconciliation
from orchestration.participant.participant import participants

HELP = "query gateway and carrier now for the outcome of every unanswered call; nothing is called again"


def ask(options: Options, output: Output) -> None:
    """Run one round of reconciliation for each service that makes external calls."""
    chosen = [options["service"]] if options["service"] else _services_with_external_calls()
    rounds = {service: reconciliation.reconcile_open_rows(participants()[service]) for service in chosen}
    table = Table("service", "settled", "not known there yet", "failed", box=None, pad_edge=False)
    for service, made in rounds.items():
        table.add_row(service, *map(str, astuple(made)))
    output.write({service: asdict(made) for service, made in rounds.items()}, [table])


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--service", choices=_services_with_external_calls(), help="only this one's")
    add_format(parser)


def _services_with_external_calls() -> list[str]:
    return [service for service, participant in participants().items() if reconciliation.external_commands(participant)]


SUBCOMMANDS = (Subcommand("ask-outside", HELP, _add_arguments, ask),)
