"""A model of sagas that hold locks, checked in every state that can be reached.

Each saga takes its locks in order, then does its pivot, then releases them all. The queue of a lock is at its service.
The saga's row names the holder that the saga waits for. A deadlock may be found at any moment. The network is a growing
set of messages: each may be lost, late, doubled, or overtaken by another one.

Checked in each state: one saga uses a lock, and it is the holder; no ended saga holds a lock or waits for one; nothing
is undone behind a pivot; each cycle in the rows is a real deadlock; and each state can still end.

    python docs/models/locks_model.py 01,10             two sagas, which take locks 0 and 1 in opposite orders
    python docs/models/locks_model.py 01,12,20 --once   three sagas in a circle, each sent once and then once more

Not in it: patience, fences, successors, and several locks of one batch.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

RUNNING, BARRING, UNDOING, FINISHING, COMPLETED, COMPENSATED = (
    "running barring undoing finishing completed undone".split()
)
ENDED = (COMPLETED, COMPENSATED)
NONE, WAITING, DONE, BARRED, UNDONE = "none", "waiting", "done", "barred", "undone"
"""The statuses of a step's ledger row."""
MUTANTS = (
    "the edge stays after giving up",
    "a lock is released before the pivot",
    "steps are undone without a bar",
    "a barred saga keeps its turn",
    "no deadlock is looked for",
    "a waiting saga never asks again",
)

Message = tuple[str, int, *tuple[int, ...]]


class Row(NamedTuple):
    """A saga's row. `waits_for` is the saga that holds the lock of `step`."""

    phase: str = RUNNING
    token: int = 1
    waits_for: int | None = None
    step: int | None = None


class Lock(NamedTuple):
    """A lock at its service."""

    holder: int | None = None
    queue: tuple[int, ...] = ()


class State(NamedTuple):
    """Everything that there is, by saga, by saga and step, or by lock."""

    rows: tuple[Row, ...]
    ledgers: tuple[tuple[str, ...], ...]
    pivots: tuple[str, ...]
    released: tuple[bool, ...]
    locks: tuple[Lock, ...]
    messages: frozenset[Message]


@dataclass
class Draft:
    """A state that is being changed."""

    rows: list[Row]
    ledgers: list[list[str]]
    pivots: list[str]
    released: list[bool]
    locks: list[Lock]
    messages: set[Message]

    @classmethod
    def of(cls, state: State) -> "Draft":
        """Copy a state."""
        ledgers = [list(steps) for steps in state.ledgers]
        return cls(
            list(state.rows), ledgers, list(state.pivots), list(state.released), list(state.locks), set(state.messages)
        )

    def state(self) -> State:
        """Return the state as it is now."""
        return State(
            tuple(self.rows),
            tuple(map(tuple, self.ledgers)),
            tuple(self.pivots),
            tuple(self.released),
            tuple(self.locks),
            frozenset(self.messages),
        )

    def move(self, saga: int, phase: str, *, keep_edge: bool = False) -> None:
        """Change the saga's phase. It ends the saga's wait."""
        row = self.rows[saga]
        edge = (row.waits_for, row.step) if keep_edge else (None, None)
        self.rows[saga] = Row(phase, row.token, *edge)

    def let_go(self, saga: int, lock: int, *, keep_turn: bool = False) -> None:
        """End the saga's claim on a lock. If it holds the lock, the first in the queue gets it, and a wake is sent."""
        holder, queue = self.locks[lock]
        queue = queue if keep_turn else tuple(each for each in queue if each != saga)
        if holder == saga:
            holder, queue = (queue[0], queue[1:]) if queue else (None, ())
            if holder is not None:
                self.messages.add(("wake", holder))
        self.locks[lock] = Lock(holder, queue)


@dataclass(frozen=True)
class Model:
    """The moves that are possible in a state. `programs` has the locks that each saga takes, in order."""

    programs: Sequence[tuple[int, ...]]
    cancels: bool = False
    most_sent: int = 2
    """How often a saga is sent."""
    mutant: str = ""

    def start(self) -> State:
        """Return the state in which each saga was sent for the first time."""
        sagas = range(len(self.programs))
        locks = 1 + max(lock for program in self.programs for lock in program)
        return State(
            rows=tuple(Row() for _ in sagas),
            ledgers=tuple((NONE,) * len(program) for program in self.programs),
            pivots=(NONE,) * len(self.programs),
            released=(False,) * len(self.programs),
            locks=(Lock(),) * locks,
            messages=frozenset(("do", saga, 0, 1) for saga in sagas),
        )

    def moves(self, state: State) -> Iterator[tuple[str, State]]:
        """Yield each move that changes the state, with the state after it."""
        for why, draft in self._moves(state):
            if (after := draft.state()) != state:
                yield why, after

    def _moves(self, state: State) -> Iterator[tuple[str, Draft]]:
        for saga, row in enumerate(state.rows):
            yield from self._recovery(state, saga, row)
        if self.mutant != "no deadlock is looked for":
            for cycle in self.cycles(state):
                yield f"deadlock {cycle}", self._given_up(state, max(cycle))
        for message in state.messages:
            yield from self._delivery(state, message)

    def _recovery(self, state: State, saga: int, row: Row) -> Iterator[tuple[str, Draft]]:
        if row.phase == RUNNING and self.cancels:
            yield f"cancel {saga}", self._given_up(state, saga)
        if row.phase == RUNNING and row.token < self.most_sent and self.mutant != "a waiting saga never asks again":
            yield f"send {saga} again", self._sent_again(state, saga)
        again: dict[str, list[Message]] = {
            BARRING: [("bar", saga)],
            UNDOING: self._undo(saga),
            FINISHING: [("release", saga)],
        }
        if row.phase in again:
            draft = Draft.of(state)
            draft.messages.update(again[row.phase])
            yield f"{row.phase} {saga} again", draft
        if row.phase == BARRING and self.mutant == "steps are undone without a bar":
            yield f"undo {saga}", self._undoing(state, saga)

    def _delivery(self, state: State, message: Message) -> Iterator[tuple[str, Draft]]:
        kind, saga, *rest = message
        row, draft = state.rows[saga], Draft.of(state)
        why = f"{kind} {' '.join(map(str, (saga, *rest)))}"
        match kind:
            case "do":
                yield why, self._step(draft, saga, *rest)
            case "waits":
                step, holder, token = rest
                if row.phase == RUNNING and token == row.token:
                    draft.rows[saga] = Row(RUNNING, token, holder, step)
                    yield why, draft
            case "wake" if row.phase == RUNNING and row.waits_for is not None and row.token < self.most_sent:
                yield why, self._sent_again(state, saga)
            case "bar":
                draft.pivots[saga] = BARRED if state.pivots[saga] == NONE else state.pivots[saga]
                draft.messages.add(("barred" if draft.pivots[saga] == BARRED else "committed", saga))
                yield why, draft
            case "barred" if row.phase == BARRING:
                yield why, self._undoing(state, saga)
            case "undo":
                yield why, self._undone(draft, saga, *rest)
            case "undone" if row.phase == UNDOING and self._is_undone(state, saga):
                draft.move(saga, COMPENSATED)
                yield why, draft
            case "committed" if row.phase in (RUNNING, BARRING):
                draft.move(saga, FINISHING)
                draft.messages.add(("release", saga))
                yield why, draft
            case "release":
                for lock in () if state.released[saga] else self.programs[saga]:
                    draft.let_go(saga, lock)
                draft.released[saga] = True
                draft.messages.add(("completed", saga))
                yield why, draft
            case "completed" if row.phase == FINISHING:
                draft.move(saga, COMPLETED)
                yield why, draft

    def _step(self, draft: Draft, saga: int, step: int, token: int) -> Draft:
        """Do a step: take its lock, or get a turn. The step after the last is the pivot."""
        program = self.programs[saga]
        if step == len(program):
            if draft.pivots[saga] == NONE:
                draft.pivots[saga] = DONE
            if draft.pivots[saga] == DONE:
                draft.messages.add(("committed", saga))
            return draft
        status = draft.ledgers[saga][step]
        if status in (NONE, WAITING):
            status = self._taken(draft, saga, step, token)
            draft.ledgers[saga][step] = status
        if status == DONE:
            draft.messages.add(("do", saga, step + 1, token))
        return draft

    def _taken(self, draft: Draft, saga: int, step: int, token: int) -> str:
        lock = self.programs[saga][step]
        holder, queue = draft.locks[lock]
        if holder in (None, saga):
            draft.locks[lock] = Lock(saga, tuple(each for each in queue if each != saga))
            if self.mutant == "a lock is released before the pivot" and step > 0:
                draft.let_go(saga, self.programs[saga][0])
            return DONE
        draft.locks[lock] = Lock(holder, queue if saga in queue else (*queue, saga))
        draft.messages.add(("waits", saga, step, holder or 0, token))
        return WAITING

    def _undone(self, draft: Draft, saga: int, step: int) -> Draft:
        before = draft.ledgers[saga][step]
        if before in (NONE, WAITING, DONE):
            keeps = before == WAITING and self.mutant == "a barred saga keeps its turn"
            draft.let_go(saga, self.programs[saga][step], keep_turn=keeps)
            draft.ledgers[saga][step] = UNDONE if before == DONE else BARRED
        draft.messages.add(("undone", saga, step))
        return draft

    def _given_up(self, state: State, saga: int) -> Draft:
        draft = Draft.of(state)
        draft.move(saga, BARRING, keep_edge=self.mutant == "the edge stays after giving up")
        draft.messages.add(("bar", saga))
        return draft

    def _undoing(self, state: State, saga: int) -> Draft:
        draft = Draft.of(state)
        draft.move(saga, UNDOING)
        draft.messages.update(self._undo(saga))
        return draft

    def _sent_again(self, state: State, saga: int) -> Draft:
        """Send the saga again. Its row still names the holder: it waits until a report says otherwise."""
        draft = Draft.of(state)
        row = draft.rows[saga]
        draft.rows[saga] = row._replace(token=row.token + 1)
        draft.messages.add(("do", saga, 0, row.token + 1))
        return draft

    def _undo(self, saga: int) -> list[Message]:
        return [("undo", saga, step) for step in range(len(self.programs[saga]))]

    def _is_undone(self, state: State, saga: int) -> bool:
        return all(("undone", saga, step) in state.messages for step in range(len(self.programs[saga])))

    def cycles(self, state: State) -> list[tuple[int, ...]]:
        """Return each cycle of the rows once, from its smallest saga on."""
        found = []
        for first in range(len(state.rows)):
            path: list[int] = []
            at: int | None = first
            while at is not None and at not in path:
                path.append(at)
                at = state.rows[at].waits_for
            if at == first == min(path):
                found.append(tuple(path))
        return found

    def violation(self, state: State) -> str:
        """Return what is wrong in a state; empty if nothing is."""
        for number, lock in enumerate(state.locks):
            using = [saga for saga in range(len(self.programs)) if self._uses(state, saga, number)]
            if len(using) > 1 or (using and using[0] != lock.holder):
                return f"lock {number} is used by {using}, its holder is {lock.holder}"
            claims = (lock.holder, *lock.queue)
            if ended := [saga for saga in claims if saga is not None and state.rows[saga].phase in ENDED]:
                return f"saga {ended[0]} has ended, and has lock {number} or waits for it"
        for saga, steps in enumerate(state.ledgers):
            if state.pivots[saga] == DONE and {BARRED, UNDONE} & set(steps):
                return f"saga {saga} is undone although its pivot is done"
        false = (cycle for cycle in self.cycles(state) if not self._is_deadlock(state, cycle))
        return next((f"the cycle {cycle} is no deadlock" for cycle in false), "")

    def _uses(self, state: State, saga: int, lock: int) -> bool:
        if state.released[saga] or self.mutant == "a lock is released before the pivot":
            return False
        return any(
            program == lock and status == DONE
            for program, status in zip(self.programs[saga], state.ledgers[saga], strict=True)
        )

    def _is_deadlock(self, state: State, cycle: tuple[int, ...]) -> bool:
        for place, saga in enumerate(cycle):
            step, holder = state.rows[saga].step, cycle[(place + 1) % len(cycle)]
            if step is None or state.pivots[saga] != NONE or state.ledgers[saga][step] != WAITING:
                return False
            if state.locks[self.programs[saga][step]].holder != holder:
                return False
        return True


@dataclass(frozen=True)
class Verdict:
    """What was found: a violation with the moves that lead to it, or states that cannot end."""

    states: int
    violation: str = ""
    trace: str = ""
    stuck: int = 0


def check(model: Model, starts: Sequence[State] = ()) -> Verdict:
    """Visit every state that can be reached. Stop at the first violation."""
    todo = list(starts or [model.start()])
    before: dict[State, tuple[State, str] | None] = dict.fromkeys(todo)
    leads_to: dict[State, list[State]] = {}
    for state in todo:
        if violation := model.violation(state):
            return Verdict(len(before), violation, _trace(before, state))
        for why, after in model.moves(state):
            leads_to.setdefault(after, []).append(state)
            if after not in before:
                before[after] = (state, why)
                todo.append(after)
    return Verdict(len(before), stuck=len(before) - len(_can_end(before, leads_to)))


def check_after_wipe(model: Model) -> Verdict:
    """Check every state that is reached when each saga is sent once, and the broker then loses all messages."""
    once = Model(model.programs, model.cancels, most_sent=1, mutant=model.mutant)
    reached, todo = {once.start()}, [once.start()]
    for state in todo:
        new = {after for _, after in once.moves(state)} - reached
        reached |= new
        todo += new
    wiped = {state._replace(messages=frozenset()) for state in reached}
    return check(model, sorted(wiped, key=str))


def _can_end(states: Iterable[State], leads_to: dict[State, list[State]]) -> set[State]:
    ends = [state for state in states if all(row.phase in ENDED for row in state.rows)]
    found = set(ends)
    while ends:
        for earlier in leads_to.get(ends.pop(), ()):
            if earlier not in found:
                found.add(earlier)
                ends.append(earlier)
    return found


def _trace(before: dict[State, tuple[State, str] | None], state: State) -> str:
    moves = []
    while step := before[state]:
        state, why = step
        moves.append(why)
    return " > ".join(reversed(moves))


def programs_of(text: str) -> list[tuple[int, ...]]:
    """Read programs such as "01,10"."""
    return [tuple(map(int, program)) for program in text.split(",")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=programs_of)
    parser.add_argument("--cancels", action="store_true", help="each saga may be cancelled at any moment")
    parser.add_argument("--once", action="store_true", help="send each once, lose all messages, send each once more")
    parser.add_argument("--mutant", choices=MUTANTS, default="")
    asked = parser.parse_args()
    chosen = Model(asked.programs, asked.cancels, mutant=asked.mutant)
    print((check_after_wipe if asked.once else check)(chosen))
