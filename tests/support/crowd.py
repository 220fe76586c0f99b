"""Runs many functions at the same moment."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def at_once(doings: Iterable[Callable[[], T]]) -> list[T]:
    """Run each function in a thread of its own, all released together. Return their results in order."""
    chosen = list(doings)
    gate = Barrier(len(chosen))

    def run(doing: Callable[[], T]) -> T:
        gate.wait()
        try:
            return doing()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(chosen)) as pool:
        return list(pool.map(run, chosen))
