"""Which sagas this thread works on, for whoever writes a line about it. Nothing is worked out until somebody asks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Of = Callable[[Any], object]
"""Gives the saga's id of what is worked on."""

_worked_on: ContextVar[tuple[Sequence[Any], Of]] = ContextVar("worked_on", default=((), str))


@contextmanager
def about(items: Sequence[Any], of: Of = str) -> Iterator[None]:
    """For a while, this thread works on these: saga ids, or things whose saga `of` tells."""
    before = _worked_on.set((items, of))
    try:
        yield
    finally:
        _worked_on.reset(before)


def within(run: Callable[[list[T]], R], of: Of) -> Callable[[list[T]], R]:
    """The same function, which says meanwhile that it works on what it is given."""

    def run_about(items: list[T]) -> R:
        with about(items, of):
            return run(items)

    return run_about


def sagas_worked_on() -> list[str]:
    """The ids, each once; empty when it is no saga's work."""
    items, of = _worked_on.get()
    return list(dict.fromkeys(str(saga_id) for saga_id in map(of, items) if saga_id))


def of_message(message: Any) -> object:
    """The saga of a message (`canvas.Received`), if it names one."""
    return message.kwargs.get("saga_id")


def of_ending(ending: Any) -> object:
    """The saga of a message's end (`endings.Ending`)."""
    return of_message(ending.message)
