"""The parts of a saga definition: frozen values, checked when they are made."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from orchestration.contracts.codec import NotCarried, check_carried
from orchestration.contracts.command import FENCE, Action, Compensation, Lock, defaults_of, field_types
from orchestration.protocol.lock_checks import LockChecks

IMPLICIT = {"saga_id", FENCE}
"""Facts that requests may use and that no step provides: the saga's id, and the fencing token of the lock taken."""


Condition = Callable[[Any], bool]
"""A function of the saga's request that says whether a step is needed."""


class BadDefinition(ValueError):
    """The saga cannot work as written."""


LONGEST_WAIT = timedelta(minutes=10)
"""The longest wait that a saga may have. A due time further away comes from a wrong clock."""


@dataclass(frozen=True)
class Retry:
    """When a failed step is tried again: exponential waits with a cap and full jitter (AWS Architecture Blog, 2015).

    A step before the pivot is tried `attempts` times, or until the deadline if that is None. A compensation, or a step
    after the pivot, is parked after `park_after` failed tries: about one hour with `brisk`, two with `patient`.
    """

    first: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=2)
    attempts: int | None = None
    park_after: int = 60

    def __post_init__(self) -> None:
        if not timedelta(0) < self.first <= self.cap:
            raise BadDefinition(f"Retry: first {self.first} must be above zero and at most cap {self.cap}")
        if self.cap > LONGEST_WAIT:
            raise BadDefinition(f"Retry: cap {self.cap} is above {LONGEST_WAIT}, the longest that a saga waits")
        if (self.attempts is not None and self.attempts < 1) or self.park_after < 1:
            raise BadDefinition("Retry: attempts and park_after count from 1")

    def delay(self, failures: int, jitter: float) -> timedelta:
        """Return the wait after this many consecutive failures, from 1. `jitter` is uniform in [0, 1)."""
        ceiling: timedelta = min(self.cap, self.first * 2 ** min(failures - 1, 30))
        return ceiling * jitter


brisk = Retry()
"""For steps in our own databases."""
patient = Retry(first=timedelta(seconds=3), cap=timedelta(minutes=5))
"""For steps at a gateway or carrier."""


@dataclass(frozen=True)
class Step:
    """One participant's action and its compensation.

    With `when`, the step is conditional: a saga whose request does not meet the condition skips it. The condition is a
    function of a module. It is evaluated once, at the start.
    """

    action: Action
    compensation: Compensation | None = None
    retry: Retry = brisk
    when: Condition | None = None

    @property
    def name(self) -> str:
        return self.action.step


@dataclass(frozen=True)
class Pivot(Step):
    """The step after which the saga cannot be compensated."""

    def __post_init__(self) -> None:
        if self.compensation is not None:
            raise BadDefinition(f"{self.name}: the pivot has no compensation, it is barred")
        if self.when is not None:
            raise BadDefinition(f"{self.name}: the pivot cannot be conditional")


@dataclass(frozen=True)
class Saga:
    """A saga definition. Do not edit one while instances of it run: write a new one with a new name.

    :raises BadDefinition: when it cannot work. The message names the step and the field.
    """

    name: str
    request: type
    deadline: timedelta
    steps: tuple[Step, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if self.deadline <= timedelta(0):
            raise BadDefinition(f"{self.name}: the deadline is not in the future")
        self._check_pivot()
        self._check_names()
        self._check_compensations()
        self._check_conditions()
        self._check_contracts()
        self._check_facts()
        self._check_locks()

    @cached_property
    def pivot_position(self) -> int:
        """Index of the pivot in `steps`."""
        return next(i for i, step in enumerate(self.steps) if isinstance(step, Pivot))

    @property
    def pivot(self) -> Step:
        return self.steps[self.pivot_position]

    @property
    def compensable(self) -> tuple[Step, ...]:
        """The steps before the pivot."""
        return self.steps[: self.pivot_position]

    @cached_property
    def by_name(self) -> Mapping[str, Step]:
        return {step.name: step for step in self.steps}

    def position_of(self, step: str) -> int:
        """Return the index of the step.

        :raises KeyError: when the saga has no such step.
        """
        return self.steps.index(self.by_name[step])

    def skipped_for(self, request: Any) -> frozenset[str]:
        """Return the names of the conditional steps that this request does not need."""
        return frozenset(step.name for step in self.steps if step.when is not None and not step.when(request))

    def _check_pivot(self) -> None:
        pivots = [step.name for step in self.steps if isinstance(step, Pivot)]
        if len(pivots) != 1:
            raise BadDefinition(f"{self.name}: needs exactly one pivot, has {pivots or 'none'}")

    def _check_names(self) -> None:
        names = [step.name for step in self.steps]
        if nameless := [step.action.name for step in self.steps if not step.name]:
            raise BadDefinition(f"{self.name}: {nameless[0]!r} is not service.verb_noun")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BadDefinition(f"{self.name}: {', '.join(twice)} appears twice")

    def _check_compensations(self) -> None:
        for step in self.compensable:
            if step.compensation is None:
                raise BadDefinition(f"{self.name}: {step.name} is before the pivot and has no compensation")
            if step.compensation.undoes != step.action:
                raise BadDefinition(f"{self.name}: {step.compensation.name} does not undo {step.name}")
            if step.compensation.service != step.action.service:
                raise BadDefinition(f"{self.name}: {step.compensation.name} is another service's than {step.name}")
        for step in self.steps[self.pivot_position + 1 :]:
            if step.compensation is not None:
                raise BadDefinition(f"{self.name}: {step.name} is after the pivot and has a compensation")

    def _check_conditions(self) -> None:
        for step in self.steps:
            if step.when is not None and "<" in step.when.__qualname__:
                raise BadDefinition(f"{self.name}: the condition of {step.name} is not a function of a module")
            if lock := step.action.holds:
                self._check_conditions_of(lock, step)

    def _check_conditions_of(self, lock: Lock, holder: Step) -> None:
        for step in self.steps:
            differs = step.when != holder.when
            if step.action.releases == lock and differs:
                raise BadDefinition(
                    f"{self.name}: {step.name} releases {lock.name}, and must have the condition of {holder.name}"
                )
            if step.action.under == lock and holder.when is not None and differs:
                raise BadDefinition(f"{self.name}: {step.name} is under {lock.name}, which {holder.name} may not hold")

    def _check_contracts(self) -> None:
        for contract in self._contracts():
            try:
                check_carried(contract)
            except NotCarried as error:
                raise BadDefinition(f"{self.name}: {error}") from None

    def _contracts(self) -> Iterator[type]:
        """Yield the contracts that messages of this saga carry."""
        yield self.request
        for step in self.steps:
            yield from (each for each in (step.action.request, step.action.answer) if each is not None)
            if step.compensation is not None:
                yield step.compensation.request

    def _check_facts(self) -> None:
        known = field_types(self.request)
        if reserved := IMPLICIT & known.keys():
            raise BadDefinition(f"{self.name}: the request must not provide {', '.join(sorted(reserved))}")
        provided_when: dict[str, Condition | None] = {}
        for step in self.steps:
            if step.compensation is not None:
                self._check_needs(step.compensation, known, step.action.provides, step.when)
                self._check_may_be_missing(step.compensation, step.when, provided_when)
            self._check_needs(step.action, known, {}, step.when)
            self._check_may_be_missing(step.action, step.when, provided_when)
            if again := sorted(step.action.provides.keys() & (known.keys() | IMPLICIT)):
                raise BadDefinition(f"{self.name}: {step.name} provides {', '.join(again)}, which is known already")
            known = known | step.action.provides
            if step.when is not None:
                provided_when |= dict.fromkeys(step.action.provides, step.when)

    def _check_locks(self) -> None:
        actions = [step.action for step in self.steps]
        checks = LockChecks(actions, self.pivot_position, field_types(self.request), self.deadline)
        for fault in checks.faults():
            raise BadDefinition(f"{self.name}: {fault}")

    def _check_needs(
        self,
        command: Action | Compensation,
        known: Mapping[str, object],
        own: Mapping[str, object],
        when: Condition | None,
    ) -> None:
        for needed, kind in field_types(command.request).items():
            if needed == FENCE and not (isinstance(command, Action) and command.holds):
                raise BadDefinition(f"{self.name}: {command.name} needs {FENCE} but takes no lock")
            if needed in IMPLICIT:
                continue
            if needed in own:
                raise BadDefinition(f"{self.name}: {command.name} needs {needed}, its own action's answer")
            if needed not in known:
                if needed in defaults_of(command.request):
                    continue
                raise BadDefinition(f"{self.name}: {command.name} needs {needed}, which no earlier step provides")
            if not _fits(known[needed], kind, is_given=when is not None):
                raise BadDefinition(f"{self.name}: {command.name} needs {needed} as {kind}, it is {known[needed]}")

    def _check_may_be_missing(
        self, command: Action | Compensation, when: Condition | None, provided_when: Mapping[str, Condition | None]
    ) -> None:
        """Check the command's fields whose facts may be missing: those of conditional steps, and those that the request
        leaves out because they have their default value. A conditional step may need the latter without a default: its
        condition can test that the request has them.
        """
        of_request, own = defaults_of(self.request), defaults_of(command.request)
        for needed in field_types(command.request):
            if needed in own:
                if needed in of_request and own[needed] != of_request[needed]:
                    raise BadDefinition(f"{self.name}: {command.name} has another default of {needed} than the request")
            elif needed in provided_when and provided_when[needed] != when:
                raise BadDefinition(f"{self.name}: {command.name} needs {needed}, whose step may be skipped")
            elif needed in of_request and when is None:
                raise BadDefinition(f"{self.name}: {command.name} needs {needed}, which the request may leave out")


def _fits(known: object, needed: object, *, is_given: bool) -> bool:
    """Return whether each value of the known type is one of the needed type. With `is_given` it is not None."""
    return _types(known) - ({NoneType} if is_given else set()) <= _types(needed)


def _types(kind: object) -> set[object]:
    return set(get_args(kind)) if get_origin(kind) in (Union, UnionType) else {kind}
