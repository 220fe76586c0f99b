"""A wave: a few dozen sagas at a time, each with a fault of its own, and real workers, started again when killed."""

import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as Directory
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from orchestration.engine import selectors
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.protocol.states import ENDED
from tests.faults.cases import Case
from tests.faults.forks import Child, Zygote
from tests.faults.plan import Files
from tests.faults.stages import Stage, Staged
from tests.support.broker import waiting_messages
from tests.support.wait import wait_for

PATIENCE_SECONDS = 240.0


@dataclass(frozen=True)
class Ended:
    """The result of a case: the phase of its saga, whether its fault happened, how often the saga was dispatched."""

    case: Case
    saga_id: UUID
    end: str
    fired: bool
    sent: int
    crossed: Sequence[str]


class Stuck(AssertionError):
    """The wave did not end. The message says which sagas have not ended and shows the processes' output."""


def run(zygote: Zygote, cases: Sequence[Case], *, recording: bool = False) -> list[Ended]:
    """Run the cases together until all their sagas have ended, the queues are empty and every message is acked.

    :raises Stuck: when that takes too long.
    """
    sagas = dict(_staged(zygote, cases))
    with tempfile.TemporaryDirectory() as directory:
        files = Files(Directory(directory))
        swept = {saga: each.case for saga, each in sagas.items() if each.stage != Stage.BEFORE}
        files.write_plan({saga: case.fault for saga, case in swept.items() if case.fault})
        _Wave(zygote, files, sagas, recording).run()
        rows, fired = SagaInstance.objects.in_bulk(list(swept)), files.fired()
        return [
            Ended(case, saga, rows[saga].phase, saga in fired, rows[saga].token, files.crossed_by(saga))
            for saga, case in swept.items()
        ]


def _staged(zygote: Zygote, cases: Sequence[Case]) -> Iterator[tuple[UUID, Staged]]:
    """Yield the sagas of the wave, after the orders of changes were placed, and changed before, without faults."""
    changes = {uuid7(): case for case in cases if case.path.change}
    _run_unharmed(zygote, {checkout: Staged(case) for checkout, case in changes.items()})
    before = {uuid7(): Staged(case, Stage.BEFORE, order) for order, case in changes.items() if case.path.before}
    _run_unharmed(zygote, {saga: each for saga, each in before.items() if not each.case.path.waits})
    yield from ((saga, each) for saga, each in before.items() if each.case.path.waits)
    yield from ((uuid7(), Staged(case, Stage.CHANGE, checkout)) for checkout, case in changes.items())
    yield from ((uuid7(), Staged(case)) for case in cases if not case.path.change)


def _run_unharmed(zygote: Zygote, sagas: Mapping[UUID, Staged]) -> None:
    if not sagas:
        return
    with tempfile.TemporaryDirectory() as directory:
        files = Files(Directory(directory))
        files.write_plan({})
        _Wave(zygote, files, sagas, recording=False).run()


class _Wave:
    def __init__(self, zygote: Zygote, files: Files, sagas: Mapping[UUID, Staged], recording: bool) -> None:
        self._zygote, self._files, self._sagas, self._recording = zygote, files, sagas, recording
        self._worker: Child | None = None
        self._client: Child | None = None
        self._cancelled: set[UUID] = set()

    def run(self) -> None:
        """Keep a worker and the clients alive until there is nothing left to do."""
        last = signal.SIGKILL
        try:
            wait_for(self._is_over, seconds=PATIENCE_SECONDS, what="the end of a wave")
            last = signal.SIGTERM  # it may still ack what it has done
        except AssertionError as error:
            raise Stuck(f"{error}\n{self._unfinished()}") from None
        finally:
            for child in (self._client, self._worker):
                if child:
                    child.end(last)

    def _is_over(self) -> bool:
        rows = SagaInstance.objects.in_bulk(list(self._sagas))
        if not (self._worker and self._worker.is_alive()):
            self._worker = self._fork("work")
        if not (self._client and self._client.is_alive()):
            self._client = self._next_client(rows)
        if len(rows) < len(self._sagas) or self._client or any(row.phase not in ENDED for row in rows.values()):
            return False
        return self._worker is not None and not waiting_messages() and self._worker.is_idle()

    def _next_client(self, rows: Mapping[UUID, SagaInstance]) -> Child | None:
        if missing := [_asked(saga, each) for saga, each in self._sagas.items() if saga not in rows]:
            return self._fork("place", sagas=missing)
        cancelled = {saga for saga, each in self._sagas.items() if each.case.path.is_cancelled}
        waiting = cancelled - self._cancelled
        failed = SagaLogEntry.objects.filter(saga__in=waiting, kind="failed").values_list("saga", flat=True).first()
        if failed is None:
            return None
        self._cancelled.add(failed)
        return self._fork("cancel", saga=str(failed))

    def _fork(self, do: str, **order: Any) -> Child | None:
        return self._zygote.fork(do, self._files, recording=self._recording, **order)

    def _unfinished(self) -> str:
        rows = SagaInstance.objects.in_bulk(list(self._sagas))
        lines = []
        for saga, each in self._sagas.items():
            if saga not in rows:
                lines.append(f"{each.case}: never started")
            elif rows[saga].phase not in ENDED:
                lines += [f"{each.case}: {rows[saga].phase}, due {rows[saga].due_at}", story(saga)]
        return "\n".join([*lines, f"{waiting_messages()} messages wait", self._files.logs()])


def _asked(saga_id: UUID, saga: Staged) -> tuple[str, ...]:
    return str(saga_id), saga.case.path.name, saga.stage, str(saga.checkout_id or "")


def story(saga_id: UUID) -> str:
    """Return a saga's log, one line for each entry."""
    entries = selectors.log_of(saga_id)
    return "\n".join(f"    {each.at:%H:%M:%S.%f} {each.kind} {each.step} {each.detail}" for each in entries)
