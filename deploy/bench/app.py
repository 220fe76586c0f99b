"""`celery -A deploy.bench.app worker --records FILE`: the shop's worker, which also records when each saga ended."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import bootsteps
from click import Option

from config.celery import app
from deploy.bench.records import EventKind, Record, Recorder
from orchestration.protocol.states import Phase
from orchestration.signals import sagas_ended

OUTCOMES = {Phase.COMPLETED: EventKind.COMPLETED, Phase.COMPENSATED: EventKind.COMPENSATED}


class EndRecorder(bootsteps.Step):  # type: ignore[misc]
    """Subscribes this worker to the ends of sagas."""

    def __init__(self, parent: Any, records: str | None = None, **options: Any) -> None:
        super().__init__(parent, **options)
        if records:
            listen(Recorder(Path(records)))


def listen(recorder: Recorder) -> None:
    """Record every end of a saga from now on, after the transaction that ended it has committed."""

    def record(*, sagas: Sequence[Any], **_: Any) -> None:
        at = time.time()
        recorder.add(Record(saga.pk, OUTCOMES[saga.phase], at) for saga in sagas)

    sagas_ended.connect(record, weak=False)


app.user_options["worker"].add(Option(["--records"], help="The file to append to."))
app.steps["worker"].add(EndRecorder)
