"""Commands as an operator runs them, on sagas that stand where a test puts them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

Run = Callable[..., Any]
Ends = Callable[..., int]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with `--format json`; what it prints, read."""

    def run(*arguments: object) -> Any:
        capsys.readouterr()
        call_command(*map(str, arguments), "--format", "json")
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def ends(capsys: pytest.CaptureFixture[str]) -> Ends:
    """Run a command; its exit code."""

    def ends(*arguments: object) -> int:
        try:
            call_command(*map(str, arguments))
        except CommandError as error:
            return int(error.returncode)
        return 0

    return ends
