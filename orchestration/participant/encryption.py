"""Secrets on their way through messages: sealed at the edge, opened where they are used."""

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from orchestration.contracts.values import Sealed
from orchestration.participant.refusals import CannotCall


class SealBroken(CannotCall):
    """Sealed with a key that this process does not have, or altered on the way."""


def seal(secret: str) -> Sealed:
    """Encrypt with the first of `SEALING_KEYS`."""
    return Sealed(_fernet().encrypt(secret.encode()).decode())


def unseal(sealed: Sealed) -> str:
    """:raises SealBroken: when none of `SEALING_KEYS` opens it."""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBroken(SealBroken.__doc__) from None


@cache
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SEALING_KEYS])
