"""Registers a service: its commands become tasks and its ledger becomes readable."""

from orchestration.participant.participant import Participant, add
from orchestration.participant.tasks import make_tasks


def register(participant: Participant) -> Participant:
    """Make the participant known to this process: its commands become tasks, its ledger readable."""
    add(participant)
    make_tasks(participant)
    return participant
