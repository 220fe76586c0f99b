"""The facts of a saga with its secrets hidden. The name of a secret is shown; its value is not, even encrypted."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from typing import Any, get_args

from orchestration.contracts.command import field_types
from orchestration.contracts.values import Encrypted
from orchestration.sagas import UnknownDefinition, definition_of

HIDDEN = "(hidden)"


def redacted(facts: Any, *, definition: str) -> Any:
    """Return the facts of a saga with its secrets hidden; hide all facts if this code lacks the definition."""
    if facts is None:
        return None
    try:
        secrets = _secrets(definition)
    except UnknownDefinition:
        return HIDDEN
    return _without(facts, secrets)


@cache
def _secrets(definition: str) -> frozenset[str]:
    saga = definition_of(definition)
    answers = [step.action.answer for step in saga.steps if step.action.answer]
    return frozenset(name for contract in (saga.request, *answers) for name in _encrypted_fields(contract))


def _encrypted_fields(contract: type) -> Iterator[str]:
    for name, kind in field_types(contract).items():
        parts = (kind, *get_args(kind))
        if Encrypted in parts:
            yield name
        for part in parts:
            if isinstance(part, type) and is_dataclass(part):
                yield from _encrypted_fields(part)


def _without(facts: Any, secrets: frozenset[str]) -> Any:
    if isinstance(facts, dict):
        return {name: HIDDEN if name in secrets else _without(fact, secrets) for name, fact in facts.items()}
    if isinstance(facts, list):
        return [_without(fact, secrets) for fact in facts]
    return facts
