"""An environment with the peers' packages: from PyPI and npm, by pip and npm."""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.bench.processes import PROJECT
from deploy.peers import restate

DIRECTORY = PROJECT / ".run" / "peers"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
SERVER = "@restatedev/restate-server@1.7.12"


class NotInstalled(Exception):
    """The peers' packages cannot be installed. The message says what is missing."""


def make(directory: Path) -> None:
    """Install the missing packages.

    :raises NotInstalled: when pip or npm cannot install them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _run([str(PROJECT / "deploy" / "make_venv"), str(directory / "venv"), str(REQUIREMENTS)])
    try:
        restate.program(directory)
    except FileNotFoundError:
        _install_server(directory)


def _install_server(directory: Path) -> None:
    if shutil.which("npm") is None:
        raise NotInstalled("npm is needed for Restate's server: on Debian or Ubuntu, apt-get install npm")
    _run(["npm", "install", "--prefix", str(directory), "--no-save", "--no-audit", "--no-fund", SERVER])
    try:
        restate.program(directory)
    except FileNotFoundError as error:
        raise NotInstalled(str(error)) from None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=PROJECT, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"{' '.join(command[:2])}: {(done.stderr or done.stdout).strip()[-2000:]}")
