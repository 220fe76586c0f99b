"""What the doctor says: one line for each thing looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    """It goes on, but somebody should look."""
    FAIL = "fail"
    """Orders fail or wait because of it, or will soon."""


@dataclass(frozen=True)
class Line:
    """`what` was looked at, what was `seen`, and what to `do` unless all is well."""

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
