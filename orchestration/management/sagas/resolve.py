"""`manage.py saga resolve`: an operator records the outcome of a call that gateway or carrier cannot be asked."""

from argparse import ArgumentParser

from orchestration.management import resolving
from orchestration.management.arguments import add_consent, add_evidence, add_format, add_word, saga_id
from orchestration.management.confirmation import refuse_without_consent
from orchestration.management.output import Output
from orchestration.management.subcommand import Options, Subcommand


def resolve(options: Options, output: Output) -> None:
    """:raises CommandError: when nothing was changed."""
    if not options["dry_run"]:
        question = f"Record that {options['step']} of saga {options['id']} is {options['outcome']}? That is final."
        refuse_without_consent(question, options, output)
    made = resolving.resolve(dict(options))
    output.write(resolving.shown(made), [resolving.as_table(made)])


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=saga_id, metavar="ID")
    resolving.add_arguments(parser)
    add_evidence(parser)
    add_word(parser)
    add_consent(parser)
    add_format(parser)


SUBCOMMANDS = (
    Subcommand(
        "resolve",
        "record the outcome of a call that was never answered",
        _add_arguments,
        resolve,
        description=resolving.description,
    ),
)
