"""This shop, measured once like its peers: on databases and queues that are made for it and removed afterwards."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from config import env
from deploy.bench.figures import Figures
from deploy.bench.processes import PROJECT
from deploy.demo import leftovers

PREFIX = "peers_ours_"
NAMES = {"SHOP_DATABASE_PREFIX": PREFIX, "SHOP_QUEUE_PREFIX": "peers.ours."}
NO_URLS = {f"{env.PREFIX}{alias.upper()}_DATABASE_URL": "" for alias in env.ALIASES}


class Failed(Exception):
    """A measurement failed. The message is the end of its output."""


def measure(arguments: Sequence[str]) -> dict[str, Figures]:
    """Run `manage.py bench` with these arguments and return the figures of its variants.

    :raises Failed: when the command fails.
    """
    try:
        with tempfile.TemporaryDirectory() as directory:
            output = Path(directory) / "ours.json"
            for command in (("migrate", "--create"), ("bench", *arguments, "--output", str(output))):
                run([sys.executable, "manage.py", *command], NAMES | NO_URLS)
            return read(json.loads(output.read_text())["medians"])
    finally:
        _leave_nothing()


def run(command: Sequence[str], changes: dict[str, str]) -> str:
    """Run a command with changes to its environment and return its output. :raises Failed: unless it exits with 0."""
    with subprocess.Popen(
        command, cwd=PROJECT, env=os.environ | changes, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            printed, complaint = process.communicate()
        except BaseException:
            process.terminate()  # it stops the processes that it started
            raise
    if process.returncode:
        raise Failed(f"{' '.join(command[1:4])}: {complaint.strip()[-2000:]}")
    return printed


def read(medians: dict[str, dict[str, object]]) -> dict[str, Figures]:
    """Read figures that were written as JSON."""
    return {name: Figures(**figures) for name, figures in medians.items()}  # type: ignore[arg-type]


def _leave_nothing() -> None:
    settings = env.read()
    leftovers.drop_databases(settings["POSTGRES_URL"], prefix=PREFIX)
    leftovers.delete_queues(settings["BROKER_URL"], prefix=NAMES["SHOP_QUEUE_PREFIX"])
