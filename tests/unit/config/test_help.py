"""The help of every command can be read, also that of the commands within one."""

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import pytest
from django.core.management import get_commands, load_command_class

OURS = ("config", "deploy", "orders", "inventory", "payments", "shipping", "orchestration")
COMMANDS = sorted(name for name, app in get_commands().items() if str(app).split(".")[0] in OURS)


def parsers_of(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                yield from parsers_of(below)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_can_be_read(name: str) -> None:
    command = load_command_class(str(get_commands()[name]), name)
    for parser in parsers_of(command.create_parser("manage.py", name)):
        assert "usage: manage.py" in parser.format_help()
