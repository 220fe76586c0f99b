"""Exit codes of every command."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    ERROR = 1
    """Something broke or is away, or a check has found something."""
    USAGE = 2
    NOTHING_MATCHED = 3
    SOME_FAILED = 4
    """Some were done, others were not."""
    REFUSED = 5
    """The state of things does not allow it; nothing was changed."""
    TIMED_OUT = 6
    """It was done, but its outcome was not known in time."""


IN_WORDS = (
    "Exit code 0: done, 1: error, 2: misuse, 3: nothing matched, 4: some failed, 5: refused by the state of things, "
    "6: timed out."
)
"""For help texts."""
