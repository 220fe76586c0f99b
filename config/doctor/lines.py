"""The output of `manage.py doctor`: one line for each check."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    """The system works, but an operator should look at this."""
    FAIL = "fail"
    """Orders fail or wait because of this, or will soon."""


@dataclass(frozen=True)
class Line:
    """One check: `what` was checked, what was `seen`, and what to `do` about a problem."""

    what: str
    verdict: Verdict
    seen: str
    do: str = ""


def ok(what: str, seen: str) -> Line:
    return Line(what, Verdict.OK, seen)


def warn(what: str, seen: str, do: str) -> Line:
    return Line(what, Verdict.WARN, seen, do)


def fail(what: str, seen: str, do: str) -> Line:
    return Line(what, Verdict.FAIL, seen, do)
