"""Commands and queries to participants: actions, their compensations, and reads."""

from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from typing import Any, get_type_hints

FENCE = "fence"
"""The field of an action's request in which the kit passes the fencing token of the lock that the action holds."""


class _Named:
    name: str

    @property
    def service(self) -> str:
        """The service that executes it. Its database alias and its queue have the same name."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Lock:
    """A resource that one saga at a time may hold: `name` for one value of `by`, a field of the request.

    The field is a str, UUID or int. A saga waits for its turn for `patience`; then the action refuses with
    `resource_busy`. With a patience of zero it refuses at once. Operations that commute need no lock: use an escrow.
    """

    name: str
    by: str
    patience: timedelta = timedelta(seconds=30)

    @property
    def fence_field(self) -> str:
        """The field in which later steps of the saga get the fencing token, such as "order_fence"."""
        return f"{self.name}_{FENCE}"


@dataclass(frozen=True)
class Action(_Named):
    """One thing a participant does in a saga.

    `name` is "service.verb_noun"; `request` and `answer` are frozen dataclasses. `answer` is None when the action
    returns nothing. The action takes the lock `holds` before it runs, and releases the lock `releases` when it is done.
    Its compensation releases `holds`, too. An action `under` the lock of an earlier step, which may be another
    service's, is refused by the database when the saga no longer holds that lock: its request has the fields
    `under.by` and `under.fence_field`. An `external` action calls a system outside, such as a gateway, and so does its
    compensation: of two sagas in a deadlock, the one with fewer external steps done is given up.
    """

    name: str
    request: type
    answer: type | None = None
    holds: Lock | None = None
    releases: Lock | None = None
    under: Lock | None = None
    external: bool = False

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
    return [name for name in field_types(contract) if name not in defaults_of(contract)]


def defaults_of(contract: type) -> dict[str, Any]:
    """Return the defaults of the fields that have one: name to value."""
    made = {field.name: field.default_factory for field in fields(contract)}  # type: ignore[arg-type]
    given = {field.name: field.default for field in fields(contract)}  # type: ignore[arg-type]
    return {name: make() for name, make in made.items() if make is not MISSING} | {
        name: value for name, value in given.items() if value is not MISSING
    }
