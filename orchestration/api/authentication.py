"""Authentication by a token of which only the hash is stored."""

from collections import defaultdict
from collections.abc import Collection
from functools import cache
from hmac import compare_digest
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from knox.settings import CONSTANTS
from rest_framework.exceptions import AuthenticationFailed

from orchestration.db.coalescing import CoalescedReads
from orchestration.db.connections import borrowed
from orchestration.db.sql import execute
from orchestration.models import ALIAS

Row = tuple[Any, ...]
"""A token's columns, then its customer's."""


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    """Knox's authentication, but a token that is not ASCII is a wrong token: knox 5.1 fails on one that is not UTF-8.

    Nothing is cached between requests: a revoked token, or the token of a deactivated customer, is refused at once.
    A token without an expiry is looked up with one prepared statement. All other tokens are left to knox.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[AbstractBaseUser, AuthToken]:
        if not token.isascii():
            raise AuthenticationFailed("Invalid token.")
        return _lasting(token.decode()) or super().authenticate_credentials(token)


def _lasting(token: str) -> tuple[AbstractBaseUser, AuthToken] | None:
    """Return the active customer and their token without an expiry, or None."""
    digest = hash_token(token)
    key = token[: CONSTANTS.TOKEN_KEY_LENGTH]
    for row in _rows.ask([key]).get(key, ()):
        found = AuthToken.from_db(ALIAS, _attributes(AuthToken), row[: len(_attributes(AuthToken))])
        if not compare_digest(digest, found.digest):
            continue
        user = get_user_model().from_db(ALIAS, _attributes(get_user_model()), row[len(_attributes(AuthToken)) :])
        found.user = user
        return (user, found) if found.expiry is None and user.is_active else None
    return None


@cache
def _attributes(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


@cache
def _look_up() -> str:
    token, user = AuthToken._meta, get_user_model()._meta
    columns = [f'token."{field.column}"' for field in token.concrete_fields]
    columns += [f'customer."{field.column}"' for field in user.concrete_fields]
    return (
        f'SELECT {", ".join(columns)} FROM "{token.db_table}" AS token JOIN "{user.db_table}" AS customer '
        f'ON customer."{user.pk.column}" = token.user_id WHERE token.token_key = ANY(%s)'
    )


def _read(keys: Collection[str]) -> dict[str, list[Row]]:
    rows = defaultdict[str, list[Row]](list)
    position = _attributes(AuthToken).index("token_key")
    with borrowed(ALIAS):
        for row in execute(ALIAS, _look_up(), list(keys)):
            rows[row[position]].append(row)
    return rows


_rows = CoalescedReads(_read)
