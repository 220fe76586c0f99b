"""The enums of the operators' tables: actions, outcomes, and where an operator acted."""

from enum import StrEnum


class Action(StrEnum):
    """What an operator can do to a saga."""

    RESUME = "resume"
    """Try again what is pending, also what is parked."""
    RETRY = "retry"
    """Try again what waits, without waiting; what is parked stays parked."""
    CANCEL = "cancel"
    """Call it off, as its customer would."""
    COMPENSATE = "compensate"
    """Bring it back to where it began, from wherever that is still possible."""
    PAUSE = "pause"
    """Send nothing until it is unpaused; what is under way still reports."""
    UNPAUSE = "unpause"
    RESOLVE = "resolve"
    """Say what became of a call outside that nobody knows the outcome of."""
    SETTLE = "settle"
    """Say that a parked step was settled outside: it is not tried any more."""


MOVES_MONEY = frozenset({Action.CANCEL, Action.COMPENSATE, Action.RESOLVE, Action.SETTLE})
"""What brings money back that was held or taken, or says that it was: on many sagas at once only with a second person.

Resuming and retrying ask for nothing that the customer's order has not asked for already.
"""


class MachineryAction(StrEnum):
    """What an operator can do to a part of the machinery, beside sagas."""

    OPEN_BREAKER = "open_breaker"
    CLOSE_BREAKER = "close_breaker"
    SEND_LETTER_AGAIN = "send_letter_again"
    DISCARD_LETTER = "discard_letter"


class MachineryOutcome(StrEnum):
    """What came of it. Of an entry without an end nobody knows: whoever acted may have died before or after."""

    DONE = "done"
    NOTHING_CHANGED = "nothing_changed"
    UNKNOWN = "unknown"
    """Redis or the broker went away in the middle of it."""


class Via(StrEnum):
    """Where an operator spoke."""

    ADMIN = "admin"
    API = "api"
    COMMAND = "command"


class Code(StrEnum):
    """What came of it at once."""

    TAKEN = "taken"
    """It was done: the saga, or a service's ledger, is not as it was before."""
    CHANGED_MEANWHILE = "changed_meanwhile"
    TOO_LATE = "too_late"
    ENDED = "ended"
    GIVING_UP = "giving_up"
    PARKED = "parked"
    PAUSED = "paused"
    NOT_PAUSED = "not_paused"
    NOT_PARKED = "not_parked"
    NO_SUCH_STEP = "no_such_step"
    NO_SUCH_ROW = "no_such_row"
    """The step's service remembers nothing of it."""
    NOT_RESOLVED = "not_resolved"
    """The step's ledger row, or the service's own rows, cannot be made so."""
    UNKNOWN_DEFINITION = "unknown_definition"
