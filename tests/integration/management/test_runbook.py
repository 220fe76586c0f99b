"""The runbook's commands are commands: each parses, and does what it can be made to do without an effect."""

import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandParser

from config import env
from orchestration.management.exit_codes import Exit
from orchestration.models import Batch, MachineryLogEntry, OperatorLogEntry, SagaInstance
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.batches import ask_for_batch
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.insight.saga_filter import SagaFilter
from orchestration.participant import breaker_registry
from tests.integration.admin.situations import Situations
from tests.integration.management.conftest import Ends

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

BOOK = Path(__file__).parents[3] / "docs" / "operations.md"
LINES = re.findall(r"^manage\.py (.+?)(?:\s+#.*)?$", BOOK.read_text(), re.MULTILINE)
CHANGES = {
    "start",
    "approve",
    "stop",
    "resume",
    "retry",
    "compensate",
    "cancel",
    "pause",
    "unpause",
    "resolve",
    "settle",
    "purge",
    "open",
    "close",
    "break",
    "apply",
}
GATEWAY = next(name for name in breaker_registry.in_use() if "gateway" in name)
SITUATIONS = 14
NOBODYS = UUID(int=1)


def words(line: str, saga_id: UUID, batch_id: UUID = NOBODYS) -> list[str]:
    stands_for = {"ID": str(saga_id), "BATCH": str(batch_id), "BREAKER": GATEWAY, "FINDING": "17", "NAME": GATEWAY} | {
        "RESOURCE": "wallet:a",
        "ACCOUNT": "ada",
    }
    return [stands_for.get(word, word) for word in shlex.split(line)]


def changes(arguments: list[str]) -> bool:
    """Whether its verb is one that changes something: `saga batch` has a second one."""
    verb = arguments[2 if arguments[1] == "batch" else 1]
    return verb in CHANGES and "--stuck" not in arguments and "--dry-run" not in arguments


def asked_for(saga_id: UUID) -> UUID:
    """A batch that waits for a second person."""
    ask = Ask(OperatorAction.CANCEL, Actor("ada", 1, Via.API), "why")
    return UUID(str(ask_for_batch(SagaFilter(ids=frozenset({saga_id})), ask).pk))


def parser_of(name: str) -> CommandParser:
    command: BaseCommand = load_command_class(get_commands()[name], name)
    return command.create_parser("manage.py", name)


def sections() -> Iterator[str]:
    runbook = BOOK.read_text().split("\n## Runbook\n")[1].split("\n## ")[0]
    yield from runbook.split("\n### ")[1:]


def test_each_situation_says_what_is_seen_what_is_done_and_what_is_not() -> None:
    found = list(sections())
    assert [section.split(".")[0] for section in found] == [str(number + 1) for number in range(SITUATIONS)]
    for section in found:
        for part in ("**Seen**:", "**Do**:", "**Not**:", "\nmanage.py "):
            assert part in section, section


@pytest.mark.parametrize("line", LINES)
def test_each_command_parses(line: str) -> None:
    name, *arguments = words(line, NOBODYS)
    parser_of(name).parse_args(arguments)


@pytest.mark.parametrize("line", [line for line in LINES if line.split()[0] in ("saga", "breakers", "locks")])
def test_each_command_ends_as_it_should_and_without_a_yes_changes_nothing(
    line: str, ends: Ends, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody is there to be asked
    saga_id = situations.failing()
    arguments = words(line, saga_id, asked_for(saga_id))
    before = [list(SagaInstance.objects.values()), list(Batch.objects.values())]
    if changes(arguments):
        assert ends(*arguments) in (Exit.USAGE, Exit.NOTHING_MATCHED)
        arguments.append("--dry-run")
    assert ends(*arguments) in (Exit.OK, Exit.NOTHING_MATCHED, Exit.REFUSED, Exit.TIMED_OUT)
    assert [list(SagaInstance.objects.values()), list(Batch.objects.values())] == before
    assert not OperatorLogEntry.objects.exists()
    assert not MachineryLogEntry.objects.exists()
