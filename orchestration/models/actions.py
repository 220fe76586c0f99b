"""The enums of the operators' tables: actions, outcomes, and where an operator acted."""

from enum import StrEnum


class OperatorAction(StrEnum):
    """What an operator can do to a saga."""

    RESUME = "resume"
    """Try again what is pending, also what is parked."""
    RETRY = "retry"
    """Try again what waits, without waiting; what is parked stays parked."""
    CANCEL = "cancel"
    """Call it off, as its customer would."""
    COMPENSATE = "compensate"
    """Compensate the saga, if that is still possible."""
    PAUSE = "pause"
    """Send no command until the saga is unpaused. Steps that are running still report."""
    UNPAUSE = "unpause"
    RESOLVE = "resolve"
    """State the outcome of an external call whose outcome is unknown."""
    SETTLE = "settle"
    """State that a parked step was settled externally. The step is not tried again."""


MOVES_MONEY = frozenset(
    {OperatorAction.CANCEL, OperatorAction.COMPENSATE, OperatorAction.RESOLVE, OperatorAction.SETTLE}
)
"""Actions that give money back, or state that it was given back. A batch of them needs a second person.

Resuming and retrying ask for nothing that the customer's order has not asked for already.
"""


class MachineryAction(StrEnum):
    """What an operator can do to a breaker, a dead letter or a lock."""

    OPEN_BREAKER = "open_breaker"
    CLOSE_BREAKER = "close_breaker"
    SEND_LETTER_AGAIN = "send_letter_again"
    DISCARD_LETTER = "discard_letter"
    BREAK_LOCK = "break_lock"


class MachineryOutcome(StrEnum):
    """The outcome of a `MachineryAction`. Without one it is unknown: the process may have died before or after."""

    DONE = "done"
    NOTHING_CHANGED = "nothing_changed"
    UNKNOWN = "unknown"
    """Redis or the broker became unavailable during the action."""


class Via(StrEnum):
    """The interface that an operator used."""

    ADMIN = "admin"
    API = "api"
    COMMAND = "command"


class Code(StrEnum):
    """The immediate result of an operator's action."""

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
