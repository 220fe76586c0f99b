"""`python -m deploy.up`: runs the whole shop on this machine against the configured servers, until it is stopped."""

import fcntl
import os
import secrets
import subprocess
import sys
from typing import NoReturn

from config import env
from deploy import supervisor

RUN_DIRECTORY = supervisor.PROJECT / ".run" / "up"


def lock_directory() -> None:
    """Lock the run directory for as long as this process, or the supervisor that replaces it, lives.

    :raises SystemExit: when another `make up` runs in this directory.
    """
    RUN_DIRECTORY.mkdir(parents=True, exist_ok=True)
    lock = os.open(RUN_DIRECTORY / "lock", os.O_RDWR | os.O_CREAT)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"make up runs here already; its logs are in {RUN_DIRECTORY}")


def prepare() -> int:
    """Migrate the databases, run the checks and return the exit code."""
    for step in (("ready", "--servers"), ("migrate", "--create"), ("declare_queues",), ("ready",)):
        if code := subprocess.call([sys.executable, "manage.py", *step], cwd=supervisor.PROJECT):
            return code
    return 0


def supervise(queue_prefix: str) -> NoReturn:
    """Replace this process with the supervisor of all processes."""
    threads = int(os.environ.get("WORKER_THREADS", "8"))
    supervised = supervisor.programs(queue_prefix=queue_prefix, threads=threads, run_directory=RUN_DIRECTORY)
    command = supervisor.write(supervised, run_directory=RUN_DIRECTORY)
    print(f"logs      {RUN_DIRECTORY}", flush=True)
    os.execv(command[0], command)


def _protect_flower() -> None:
    os.environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")
    if not os.environ.get("FLOWER_BASIC_AUTH"):
        os.environ["FLOWER_BASIC_AUTH"] = f"operator:{secrets.token_urlsafe(12)}"
        print(f"Flower login {os.environ['FLOWER_BASIC_AUTH']} (choose one with FLOWER_BASIC_AUTH)", flush=True)


def _set_addresses() -> None:
    """Set the URLs for links between the saga pages and Flower, and for `ready`, which prints them."""
    web = os.environ.get("WEB_BIND", "127.0.0.1:8000")
    flower = f"{os.environ['FLOWER_ADDRESS']}:{os.environ.get('FLOWER_PORT', '5555')}"
    for name, bound in (("SHOP_PUBLIC_URL", web), ("SHOP_FLOWER_URL", flower)):
        os.environ.setdefault(name, f"http://{bound.replace('0.0.0.0', 'localhost')}")


if __name__ == "__main__":
    try:
        settings = env.read()
    except env.BadSetting as error:
        sys.exit(f"setting {error}")
    lock_directory()
    _protect_flower()
    _set_addresses()
    if code := prepare():
        sys.exit(code)
    supervise(settings["QUEUE_PREFIX"])
