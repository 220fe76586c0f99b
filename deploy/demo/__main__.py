"""`python -m deploy.demo`: shows the shop at work, then runs until Ctrl-C. With DEMO_EXIT=1 it ends then."""

import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deploy.demo import plan, report
from deploy.demo.changes import change_orders
from deploy.demo.client import Client, Unreachable
from deploy.demo.customers import Shopping
from deploy.demo.stack import CommandFailed, Kill, Stack
from deploy.servers.private import ServerFailed
from deploy.servers.processes import TookTooLong, wait_until
from deploy.servers.ways import Unavailable

RUN_DIRECTORY = Path(__file__).resolve().parents[2] / ".run" / "demo"
VICTIM = "payments"
DECISION_TIMEOUT_SECONDS = 120.0
QUIET_TIMEOUT_SECONDS = 60.0
SEARCHED = 10
"""The number of good orders among which two are changed."""


def main() -> int:
    """Run the demonstration once and return the exit code: 0 only if every order was decided, the changes were
    confirmed and the audit agrees.
    """
    RUN_DIRECTORY.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGINT, _interrupt)  # a shell's background job ignores SIGINT
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    with (RUN_DIRECTORY / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("a demonstration is already running in this directory", file=sys.stderr)
            return 1
        return _run(Stack(RUN_DIRECTORY))


def _run(stack: Stack) -> int:
    try:
        well = demonstrate(stack, count=int(os.environ.get("DEMO_ORDERS", "300")))
        if os.environ.get("DEMO_EXIT") != "1":
            report.say("\nrunning until Ctrl-C")
            threading.Event().wait()
        return 0 if well else 1
    except KeyboardInterrupt:
        report.say("\nstopping")
        return 130
    except (CommandFailed, ServerFailed, TookTooLong, Unavailable, Unreachable) as error:
        print(f"demo: {error}\nlogs are in {RUN_DIRECTORY}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stack.stop()


def demonstrate(stack: Stack, *, count: int) -> bool:
    """Start everything, place so many orders, and return whether all went well."""
    seeded = _prepare(stack)
    shopping, kill = _shop(stack, seeded, count)
    report.outcomes(shopping, kill)
    good = shopping.placed_by_kind[plan.GOOD.name]
    changes = change_orders(shopping.client, Client(stack.web_url, seeded["admin_token"]), good[:SEARCHED])
    report.changes(changes)
    left = shopping.placed_by_kind[plan.LEFT_OVER.name]
    agree = _audit(stack, left)
    report.addresses(stack, seeded)
    report.left_over(stack, seeded, len(left))
    return agree and shopping.decided == count and set(changes.values()) == {"confirmed"}


def _prepare(stack: Stack) -> dict[str, Any]:
    started = time.monotonic()
    stack.start_servers()
    report.say("making tables")
    stack.manage("migrate", "--create")
    stack.manage("declare_queues")
    stack.manage("ready")
    seeded: dict[str, Any] = json.loads(stack.manage("seed_catalogue", "--format", "json"))
    report.say("starting web, workers, beat and Flower")
    stack.start_processes()
    report.say(f"ready after {time.monotonic() - started:.0f} s")
    return seeded


def _shop(stack: Stack, seeded: dict[str, Any], count: int) -> tuple[Shopping, Kill]:
    """Place the orders. When a third of them is placed, kill a worker."""
    orders = plan.orders(count, skus=[product["sku"] for product in seeded["skus"]], scarce_sku=seeded["scarce_sku"])
    shopping = Shopping(Client(stack.web_url, seeded["token"]))
    progress = report.Progress(count)
    with ThreadPoolExecutor(1) as background:
        placing = background.submit(shopping.place_all, orders)

        def keep_track(shopping: Shopping) -> None:
            progress.show(shopping)
            _raise_what_failed(placing)

        try:
            wait_until(
                lambda: shopping.placed >= count // 3 or placing.done(),
                seconds=DECISION_TIMEOUT_SECONDS,
                what="a third of the orders",
            )
            _raise_what_failed(placing)
            kill = stack.kill_worker(VICTIM)
            shopping.follow(until=count, seconds=DECISION_TIMEOUT_SECONDS, on_progress=keep_track)
        finally:
            shopping.give_up()
        placing.result()
    return shopping, kill


def _raise_what_failed(placing: "Future[None]") -> None:
    if placing.done():
        placing.result()


def _audit(stack: Stack, parked: Sequence[str]) -> bool:
    """Run the audit, again until no step is at work: a decided order may be uncaptured for a while, or be parked."""
    deadline = time.monotonic() + QUIET_TIMEOUT_SECONDS
    agree, found = stack.audit(parked=parked)
    while not agree and time.monotonic() < deadline:
        agree, found = stack.audit(parked=parked)
    report.books(agree, found)
    return agree


def _interrupt(_signum: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
