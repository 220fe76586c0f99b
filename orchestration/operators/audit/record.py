"""Records a run of the audit and its findings, for the periodic loop and for the command."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from orchestration.db import clocks
from orchestration.models import ALIAS
from orchestration.models.audit import AuditFinding, AuditRun
from orchestration.operators.audit import finding_rows, run_rows
from orchestration.operators.audit.queries import open_findings, reach_of_run
from orchestration.operators.audit.values import Part, Reach, gap_of

logger = logging.getLogger(__name__)

LOGGED_AT_MOST = 100
"""Number of new findings that a run logs one by one."""

Clock = Callable[[], datetime]


@contextmanager
def one_run(*, every: timedelta = timedelta(0), clock: Clock = clocks.now) -> Iterator[AuditRun]:
    """Start a run and end it with the block. An exception of the block is stored in the run's row and raised again.

    :raises run_rows.AnotherIsRunning: when another run is under way.
    :raises run_rows.TooSoon: when another run was started within `every`.
    """
    run = run_rows.start(now=clock(), every=every)
    try:
        yield run
    except BaseException as error:
        run_rows.end(run, ok=None, error=str(error) or type(error).__name__, now=clock())
        raise
    there = open_findings().filter(accepted_at=None)
    run_rows.end(run, ok=not there.exists(), now=clock())
    for finding in there.filter(opened_at__gte=run.started_at)[:LOGGED_AT_MOST]:
        logger.error("audit: %s %s %s", finding.invariant, finding.message, finding.ids)
    verdict = "nothing is violated" if run.ok else "findings are open"
    logger.info("audit %s looked at %s sagas: %s", run.pk, run.sagas, _with_reach(verdict, reach_of_run(run)))


def _with_reach(verdict: str, reach: Reach) -> str:
    return verdict if reach.is_whole else f"{verdict}; {reach}"


def take(run: AuditRun, part: Part, *, clock: Clock = clocks.now) -> None:
    """Store the findings and counts of one part of the run.

    :raises run_rows.Overtaken: when another process has ended the run because its lease had expired.
    """
    finding_rows.store_sightings(run, part.sightings, now=clock())
    run.checked = dict(Counter(run.checked) + Counter(part.checked))
    gaps = dict.fromkeys([*map(gap_of, run.not_made), *part.not_made])
    run.not_made = [gap.as_json() for gap in gaps]
    run.sagas += part.sagas
    run_rows.save_progress(run, now=clock())


def close_unseen(run: AuditRun, not_judged: Collection[UUID], *, clock: Clock = clocks.now) -> None:
    """Close every finding that the run did not see. The run must have checked everything."""
    there = AuditFinding.objects.using(ALIAS).filter(gone_at=None)
    finding_rows.close(run, set(there.values_list("pk", flat=True)), not_judged, now=clock())
