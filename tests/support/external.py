"""External commands with parts of them replaced, for tests of the kit."""

from collections.abc import Callable
from copy import copy
from typing import Any

from orchestration.participant.external import ExternalCommand
from orchestration.participant.participant import Participant, ParticipantCommand


def external_commands(participant: Participant) -> dict[ParticipantCommand, ExternalCommand[Any, Any]]:
    """Return the participant's external commands."""
    return {each: work for each, work in participant.commands.items() if isinstance(work, ExternalCommand)}


def replaced(work: ExternalCommand[Any, Any], **methods: Callable[..., Any]) -> ExternalCommand[Any, Any]:
    """Return a copy of the command with these methods, which take no `self`; `record` also records several replies."""
    changed = copy(work)
    if record := methods.get("record"):
        methods["record_all"] = lambda replied: [record(*each) for each in replied]
    for name, method in methods.items():
        object.__setattr__(changed, name, method)  # it is frozen
    return changed
