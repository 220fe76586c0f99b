"""An event of one saga, from the message or the command that brings it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from orchestration.protocol.events import Event


@dataclass(frozen=True)
class SagaEvent:
    """An event of a saga; `known` holds the facts of its message.

    With `version` it applies only to the saga of that version.
    """

    saga_id: UUID
    event: Event
    known: Mapping[str, Any] = field(default_factory=dict)
    version: int | None = None
