"""Installation of Debian packages, announced before it begins."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence


class Failed(Exception):
    """apt-get could not install a package; the message is the end of what it printed."""


def is_usable() -> bool:
    """Return whether this process can install packages: it runs as root, on Debian or Ubuntu."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str], *, needed_for: str) -> None:
    """Print which packages are installed and why, then install them. :raises Failed: when apt-get fails."""
    print(f"installing {', '.join(packages)} with apt-get, needed for {needed_for}", file=sys.stderr, flush=True)
    _apt_get("update")
    _apt_get("install", "--yes", "--no-install-recommends", *packages)


def _apt_get(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "--quiet", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-2000:]}")
