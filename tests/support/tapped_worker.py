"""The project's Celery app with a tap that records into the directory `TAP_IN`. Only tests start this app."""

import os
from pathlib import Path

from celery import signals

from config.celery import app
from tests.support.tap import Tap

__all__ = ["app"]

tap = Tap(Path(os.environ["TAP_IN"]))


@signals.worker_init.connect
def start_the_tap(**_: object) -> None:
    """Start the tap before the worker connects to anything."""
    tap.start()
