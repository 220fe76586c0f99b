"""The wait for the end of a saga that a command has started."""

import time
from uuid import UUID

from django.core.management.base import CommandError

from orchestration.engine import bulk_reads
from orchestration.management.exit_codes import Exit
from orchestration.protocol.states import ENDED, Phase

LOOK_EVERY_S = 0.2


def wait_for_end(saga_id: UUID, seconds: int) -> None:
    """Wait until the saga is completed. If it was given up to end a deadlock, wait for the saga that retries it.

    :raises CommandError: with the exit code, when it is compensated, or has not ended in this time.
    """
    until = time.monotonic() + seconds
    while True:
        reading = bulk_reads.read(saga_id)
        if reading and reading.instance.phase in ENDED:
            break
        if time.monotonic() >= until:
            raise CommandError(f"saga {saga_id} has not ended within {seconds} s", returncode=Exit.TIMED_OUT)
        time.sleep(LOOK_EVERY_S)
    if reading.instance.phase == Phase.COMPENSATED:
        why = (reading.instance.failure or {}).get("detail", "")
        raise CommandError(f"saga {reading.instance.pk} was undone. {why}".rstrip(), returncode=Exit.SOME_FAILED)
