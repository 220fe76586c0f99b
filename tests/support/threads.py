"""Runs the same call in many threads at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections


def at_once(times: int, call: Callable[[int], Any]) -> list[Any]:
    """Call `call(number)` in each of so many threads, all released together. Return each result or exception."""
    barrier = Barrier(times)

    def one(number: int) -> Any:
        try:
            barrier.wait(10)
            return call(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))
