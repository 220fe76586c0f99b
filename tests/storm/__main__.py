"""`make storm`: ten thousand orders while every worker is down for two minutes, then a thousand changes of one order.

The exit code is 1 if messages are sent again that only wait.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import timedelta

import django

import tests.environment  # noqa: F401  before Django reads it

os.environ |= {"SHOP_DATABASE_PREFIX": f"storm{os.getpid()}_", "SHOP_QUEUE_PREFIX": f"storm{os.getpid()}."}
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

from deploy.demo import leftovers  # noqa: E402
from orchestration.operators.audit.violations import violations  # noqa: E402
from tests.storm.changes import ChangesFound, change_one_order  # noqa: E402
from tests.storm.run import OVERTAKEN, Found, Plan, run  # noqa: E402
from tests.support.processes import Worker  # noqa: E402
from tests.support.shop import Shop  # noqa: E402

AT_MOST = 1.1
"""Executions of a step."""
PER_ORDER = timedelta(seconds=0.15)
"""The time for an order on a slow machine, for the deadline of the whole run."""


def main() -> int:
    asked = _arguments()
    plan = Plan(asked.sagas, timedelta(seconds=asked.down), patience=PER_ORDER * asked.sagas + timedelta(minutes=2))
    workers: list[Worker] = []

    def start(environment: dict[str, str]) -> None:
        workers.append(Worker(app="tests.support.message_counter", threads=8, env=environment))

    try:
        call_command("migrate", create=True, verbosity=0)
        call_command("declare_queues", verbosity=0)
        Shop().stock(asked.sagas + 1 + asked.changes)
        found = run(plan, start)
        workers.pop().stop()  # it counts messages for `run` only
        workers.append(Worker(threads=8))
        changed = change_one_order(asked.changes, patience=plan.patience)
        wrong = [*map(str, violations()), *_wrong(found, asked.sagas), *_wrong_changes(changed)]
    finally:
        for worker in workers:
            worker.stop()
        leftovers.drop_databases(
            os.environ.get("SHOP_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432"),
            prefix=os.environ["SHOP_DATABASE_PREFIX"],
        )
        leftovers.delete_queues(settings.CELERY_BROKER_URL, prefix=os.environ["SHOP_QUEUE_PREFIX"])
    print(_reported(found), json.dumps(asdict(changed), indent=2), *wrong, sep="\n")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sagas", type=int, default=10_000)
    parser.add_argument("--down", type=float, default=120, help="seconds")
    parser.add_argument("--changes", type=int, default=1_000, help="of one order")
    return parser.parse_args()


def _wrong(found: Found, sagas: int) -> list[str]:
    wrong = []
    if found.accepted != sagas:
        wrong.append(f"WRONG  {found.accepted} of {sagas} orders were accepted")
    if found.executions_per_step > AT_MOST:
        wrong.append(f"WRONG  a step was executed {found.executions_per_step:.3f} times, at most {AT_MOST} are allowed")
    if found.went_before > OVERTAKEN:
        wrong.append(f"WRONG  {found.went_before:.0%} of the sagas under way ended before one was compensated")
    return wrong


def _wrong_changes(found: ChangesFound) -> list[str]:
    wrong = []
    if found.sent > found.sent_at_most:
        wrong.append(f"WRONG  a change was sent {found.sent:.2f} times, at most {found.sent_at_most:.2f} are allowed")
    if found.refused.keys() - {"resource_busy"}:
        wrong.append(f"WRONG  changes of one order were refused: {found.refused}")
    return wrong


def _reported(found: Found) -> str:
    reported = {
        "accepted while all workers were down": found.accepted,
        "ends": found.ends,
        "executions per step": round(found.executions_per_step, 4),
        "by task": {task: round(times, 4) for task, times in sorted(found.by_task.items())},
        "dispatches per saga": round(found.sent, 4),
        "slowest compensation, seconds": round(found.compensation.total_seconds(), 1),
        "of those under way ended before one was compensated": round(found.went_before, 4),
        "backlog drained in, seconds": round(found.drained.total_seconds(), 1),
    }
    return json.dumps(reported, indent=2)


if __name__ == "__main__":
    sys.exit(main())
