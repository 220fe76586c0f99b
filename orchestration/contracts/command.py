"""Commands and queries to participants: actions, their compensations, and reads."""

from dataclasses import MISSING, dataclass, fields
from typing import get_type_hints


class _Named:
    name: str

    @property
    def service(self) -> str:
        """The service that executes it. Its database alias and its queue have the same name."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Action(_Named):
    """One thing a participant does in a saga.

    `name` is "service.verb_noun"; `request` and `answer` are frozen dataclasses. `answer` is None when the action
    returns nothing.
    """

    name: str
    request: type
    answer: type | None = None

    @property
    def step(self) -> str:
        """The step's name in saga log and ledger, such as "reserve_stock"."""
        return self.name.partition(".")[2]

    @property
    def provides(self) -> dict[str, object]:
        """The answer's fields, which later steps may use: name to type."""
        return field_types(self.answer) if self.answer else {}


@dataclass(frozen=True)
class Compensation(_Named):
    """Reverses the action `undoes`. Its request may hold only facts that were known before that action ran."""

    name: str
    request: type
    undoes: Action

    @property
    def step(self) -> str:
        return self.undoes.step


@dataclass(frozen=True)
class Query(_Named):
    """A read of one database that another service may request. It is answered at once."""

    name: str


def field_types(contract: type) -> dict[str, object]:
    """Return the fields of a contract dataclass: name to type."""
    hints = get_type_hints(contract)
    return {field.name: hints[field.name] for field in fields(contract)}


def required_fields(contract: type) -> list[str]:
    """Return the names of the fields that have no default."""
    return [
        field.name
        for field in fields(contract)  # type: ignore[arg-type]
        if field.default is MISSING and field.default_factory is MISSING
    ]
