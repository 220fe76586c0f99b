"""Encrypts secrets for their way through messages and rows. They are decrypted where they are used."""

from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from orchestration.contracts.values import Encrypted
from orchestration.participant.refusals import CannotCall


class SealBroken(CannotCall):
    """Encrypted with a key that this process does not have, or altered on the way."""


def encrypt(secret: str) -> Encrypted:
    """Encrypt the secret with the first of `settings.ENCRYPTION_KEYS`."""
    return Encrypted(_fernet().encrypt(secret.encode()).decode())


def decrypt(encrypted: Encrypted) -> str:
    """Decrypt the secret.

    :raises SealBroken: when none of `settings.ENCRYPTION_KEYS` decrypts it.
    """
    try:
        return _fernet().decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise SealBroken(SealBroken.__doc__) from None


@cache
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
