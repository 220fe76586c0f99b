"""The exit codes of the commands."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    ERROR = 1
    """An error or an outage, or a check has found a problem."""
    USAGE = 2
    NOTHING_MATCHED = 3
    SOME_FAILED = 4
    """Some actions were done, others were not."""
    REFUSED = 5
    """The present state does not allow it; nothing was changed."""
    TIMED_OUT = 6
    """The action was done, but its outcome was not known in time."""


IN_WORDS = (
    "Exit code 0: done, 1: error, 2: misuse, 3: nothing matched, 4: some failed, 5: refused by the state of things, "
    "6: timed out."
)
"""The exit codes for help texts."""
