"""Imports and creates the gateways and carriers that settings name, and checks them against their port."""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, TypeVar, cast, get_type_hints

from django.conf import settings

Port = TypeVar("Port")


class BadAdapter(Exception):
    """The class that a setting names does not fit its port. The message names setting and class in one line."""


def adapter(port: type[Port], setting: str) -> Port:
    """Return the adapter for this port that the setting (without its prefix) names, one per process.

    :raises BadAdapter: when there is no such class, or it does not fit the port.
    """
    path = getattr(settings, setting)
    try:
        return cast(Port, _made(cast(Any, port), path))
    except BadAdapter as error:
        raise BadAdapter(f"SHOP_{setting}: {path} {error}") from error.__cause__


@contextmanager
def bad_adapters_end_the_process() -> Iterator[None]:
    """End the process with a one-line error when an adapter does not fit its port, as for an invalid setting."""
    try:
        yield
    except BadAdapter as error:
        sys.exit(f"setting {error}")


@cache
def _made(port: type, path: str) -> Any:
    make = _imported(path)
    if not callable(make):
        raise BadAdapter(f"is no class: it is {make!r}")
    if lacking := sorted(getattr(make, "__abstractmethods__", ())):
        raise BadAdapter(f"lacks {', '.join(lacking)}")
    if why_not := _refusal_of(make):
        raise BadAdapter(f"cannot be made without arguments: {why_not}")
    made = make()
    if problems := list(_problems(made, port)):
        raise BadAdapter("; ".join(problems))
    return made


def _imported(path: str) -> Any:
    module_path, _, name = path.rpartition(".")
    try:
        module = import_module(module_path)
    except ImportError as error:
        raise BadAdapter(f"cannot be imported: {error}") from error
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, vars(module), n=1)
        raise BadAdapter(f"is not there{f'; did you mean {near[0]}?' if near else ''}")
    return getattr(module, name)


def _problems(made: Any, port: type) -> Iterator[str]:
    """Yield what the adapter lacks of its port, and what differs from it."""
    methods = {name: each for name, each in vars(port).items() if inspect.isfunction(each) and not name.startswith("_")}
    values = get_type_hints(port)
    inherited = [name for name, asked in methods.items() if getattr(type(made), name, None) is asked]
    if lacking := [name for name in (*values, *methods) if name in inherited or not hasattr(made, name)]:
        yield f"lacks {', '.join(lacking)}"
    for name, asked in values.items():
        if name not in lacking and not isinstance(value := getattr(made, name), asked):
            yield f"{name} is {value!r}, not {asked}"
    for name, method in methods.items():
        if name not in lacking and (why_not := _difference(getattr(made, name), method)):
            yield f"{name} {why_not}"


def _difference(own: Any, asked: Callable[..., Any]) -> str | None:
    """Return why the adapter's method cannot be called like the port's; None if it can."""
    if not callable(own):
        return f"is no method: it is {own!r}"
    if inspect.iscoroutinefunction(own):
        return "is async"
    _, *parameters = inspect.signature(asked).parameters.values()  # without self
    positional = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    by_name = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    why_not = _refusal_of(own, *positional, **dict.fromkeys(by_name))
    return (
        f"cannot be called with {', '.join([*positional, *(f'{name}=' for name in by_name)])}: {why_not}"
        if why_not
        else None
    )


def _refusal_of(function: Callable[..., Any], *arguments: Any, **named: Any) -> str | None:
    """Return why the function does not accept these arguments; None if it does, or if it has no signature."""
    try:
        inspect.signature(function).bind(*arguments, **named)
    except ValueError:
        return None  # written in C, without a signature
    except TypeError as error:
        return str(error)
    return None
