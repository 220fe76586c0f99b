"""Imported by Python at its start under libfaketime: version 0.9.10 breaks the call that `time.sleep` makes."""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep  # type: ignore[assignment]
