"""The operator of a command: the account of the operating system, or a staff account with its password."""

import getpass
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.contrib.auth import authenticate
from django.core.management.base import CommandError

from orchestration.management.arguments import operator, words
from orchestration.management.exit_codes import Exit
from orchestration.management.subcommand import Options
from orchestration.models.actions import Via
from orchestration.operators.actions.permissions import User
from orchestration.operators.actions.requests import Actor

HELP = "who, as the account of the admin, whose password is asked for"


def add_login(parser: ArgumentParser, *, required: bool = False) -> None:
    """Add the options for the operator: --as ACCOUNT, and unless an account is required also --by NAME."""
    if required:
        parser.add_argument("--as", type=words, required=True, metavar="ACCOUNT", dest="account", help=HELP)
        return
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--as", type=words, metavar="ACCOUNT", dest="account", help=HELP)
    who.add_argument("--by", type=words, default=operator(), metavar="NAME", help="who (default: %(default)s)")


def named(options: Options) -> Actor:
    """Return the operator that the options name, without an account, because no password was asked for."""
    return Actor(options["account"] or options["by"], None, Via.COMMAND)


def logged_in(options: Options, *, may: Callable[[User], bool]) -> Actor:
    """Return the operator. An account must belong to staff, with the right password and a user that `may`.

    :raises CommandError: when it is not, or there is no terminal to ask at.
    """
    if not options["account"]:
        return named(options)
    user: Any = authenticate(username=options["account"], password=_asked_for(options["account"]))
    if user is None:
        raise _refused("no such account, or not its password")
    if not user.is_staff:
        raise _refused(f"{user.get_username()} may not do this: the account is not staff")
    if not may(asked := _AskedOf(user)):
        raise _refused(f"{user.get_username()} may not do this: it needs the permission {' and '.join(asked.missing)}")
    return Actor(user.get_username(), user.pk, Via.COMMAND)


class _AskedOf:
    """A user, with the permissions that it was asked for and lacks."""

    def __init__(self, user: User) -> None:
        self._user = user
        self.missing: list[str] = []

    def has_perm(self, perm: str, /) -> bool:
        has = self._user.has_perm(perm)
        if not has:
            self.missing.append(perm)
        return has


def _asked_for(account: str) -> str:
    if not sys.stdin.isatty():
        raise CommandError(f"There is no terminal to ask for {account}'s password at", returncode=Exit.USAGE)
    try:
        return getpass.getpass(f"Password of {account}: ")
    except (EOFError, KeyboardInterrupt):
        raise _refused("no password was given") from None


def _refused(why: str) -> CommandError:
    return CommandError(f"nothing was changed: {why}", returncode=Exit.REFUSED)
