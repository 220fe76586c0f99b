"""The sagas that this thread works on, for log lines. Ids are computed only when a line is written."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Of = Callable[[Any], object]
"""Returns the saga id of one item."""

_worked_on: ContextVar[tuple[Sequence[Any], Of]] = ContextVar("worked_on", default=((), str))


@contextmanager
def about(items: Sequence[Any], of: Of = str) -> Iterator[None]:
    """Mark the block as work on these items: saga ids, or items whose saga id `of` returns."""
    before = _worked_on.set((items, of))
    try:
        yield
    finally:
        _worked_on.reset(before)


def within(run: Callable[[list[T]], R], of: Of) -> Callable[[list[T]], R]:
    """Wrap the function so that each call is marked as work on its items."""

    def run_about(items: list[T]) -> R:
        with about(items, of):
            return run(items)

    return run_about


def sagas_worked_on() -> list[str]:
    """Return the saga ids, each once. The list is empty when the work is for no saga."""
    items, of = _worked_on.get()
    return list(dict.fromkeys(str(saga_id) for saga_id in map(of, items) if saga_id))


def of_message(message: Any) -> object:
    """Return the saga's id of a message (`canvas.Message`), if it names one."""
    return message.kwargs.get("saga_id")


def of_ending(ending: Any) -> object:
    """Return the saga's id of a message's end (`results.Ending`)."""
    return of_message(ending.message)
