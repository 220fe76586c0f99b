"""Who audits in this process: it reads every service's books, so it is no part of orchestration and registers here."""

from orchestration.operators.audit.values import Auditor

_registered: list[Auditor] = []


class NoAuditor(LookupError):
    """Nobody in this process can read all books."""


def register(auditor: Auditor) -> None:
    """Have this one asked from now on."""
    _registered[:] = [auditor]


def auditor() -> Auditor:
    """:raises NoAuditor: when none is registered."""
    if not _registered:
        raise NoAuditor(NoAuditor.__doc__)
    return _registered[0]


def is_registered() -> bool:
    """Whether this process can audit."""
    return bool(_registered)
