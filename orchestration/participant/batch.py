"""Commands that a service runs for several sagas at once, to save statements and round trips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Together:
    """A function over several requests (or, for `ExternalCommand.record_all`, over pairs of request and reply).

    It returns the answer to each, in order: a contract value, None, or a `Refusal`. A refused request must have changed
    nothing. If it raises, all of them failed, and the kit tries again with fewer.
    """

    do: Callable[[Sequence[Any]], Sequence[Any]]


Work = Callable[..., Any] | Together


def results_of_each(work: Work, asked: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the result of `work` for each request. `Together` is called once for all requests."""
    if not isinstance(work, Together):
        return [work(*each) for each in asked]
    if not asked:
        return []
    results = list(work.do([each[0] if len(each) == 1 else each for each in asked]))
    if len(results) != len(asked):
        raise TypeError(f"{work.do.__qualname__} gave {len(results)} answers to {len(asked)} requests")
    return results
