"""An operator's act has one name, whatever it is asked through."""

import pytest

from orchestration.admin.buttons import LABELS, MEANINGS
from orchestration.management.commands.saga import SUBCOMMANDS
from orchestration.management.sagas.resolve import HELP
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.requests import PERMISSIONS


@pytest.mark.parametrize("action", OperatorAction)
def test_an_act_has_one_name_at_every_door(action: OperatorAction) -> None:
    assert LABELS[action] == action.capitalize()
    assert action.value in {command.name for command in SUBCOMMANDS}
    assert PERMISSIONS[action] == f"orchestration.{action}_saga"


@pytest.mark.parametrize("action", OperatorAction)
def test_no_other_act_is_explained_by_the_word_settle(action: OperatorAction) -> None:
    helps = {command.name: command.help for command in SUBCOMMANDS}
    said = f"{MEANINGS[action]} {helps[action.value]} {HELP if action is OperatorAction.RESOLVE else ''}"
    assert ("settle" in said.lower()) == (action is OperatorAction.SETTLE)
