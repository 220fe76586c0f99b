"""Staff accounts, and a terminal at which their password is typed."""

import getpass
import io
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User


def open_terminal(monkeypatch: pytest.MonkeyPatch, *, password: str = "secret", typed: str = "") -> None:
    """Let commands run at a terminal, at which this password is typed when it is asked for."""
    terminal: Any = io.StringIO(typed)
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: password)


def staff(name: str, *codenames: str, **more: Any) -> User:
    """Create an account of staff with these permissions. Its password is "secret"."""
    user = User.objects.create_user(name, password="secret", **{"is_staff": True, **more})
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user
