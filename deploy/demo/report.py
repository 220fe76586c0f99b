"""What the demonstration prints."""

import sys
from collections.abc import Mapping
from typing import Any

from deploy import supervisor
from deploy.demo.customers import Shopping
from deploy.demo.stack import Kill, Stack


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


class Progress:
    """A progress line: rewritten on a terminal, printed from time to time elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._step = max(1, total // 5)
        self._said = -1

    def show(self, shopping: Shopping) -> None:
        """Print the progress."""
        line = f"placed {shopping.placed}/{self._total}, decided {shopping.decided}"
        if sys.stdout.isatty():
            sys.stdout.write(f"\r{line}   ")
            sys.stdout.flush()
        elif (mark := (shopping.placed + shopping.decided) // self._step) != self._said:
            self._said = mark
            say(line)


def outcomes(shopping: Shopping, kill: Kill) -> None:
    """Print the outcomes of the orders and what happened to the killed worker."""
    say("")
    for (kind, outcome), count in sorted(shopping.outcomes.items()):
        say(f"  {count:5}  {kind:16} {outcome}")
    say(f"{shopping.decided} orders decided, {shopping.orders_per_second:.0f} a second")
    say(
        f"killed in the middle with SIGKILL: the {kill.role} worker, pid {kill.killed_pid}; "
        f"the supervisor started pid {kill.restarted_pid}"
    )


def changes(statuses: Mapping[str, str]) -> None:
    """Print what was changed on placed orders."""
    said = ", ".join(f"one {change}: {status}" for change, status in statuses.items())
    say(f"changes of placed orders: {said}")


def books(agree: bool, report: dict[str, Any]) -> None:
    """Print whether the records of all services, the gateway and the carrier agree."""
    if agree:
        say("the books agree: stock, payments, parcels, orders, gateway and carrier (manage.py audit --allow-parked)")
        return
    say("THE BOOKS DO NOT AGREE:")
    for violation in report.get("violations", [report]):
        say(f"  {violation}")


def addresses(stack: Stack, seeded: dict[str, Any]) -> None:
    """Print the URLs of the shop and how to log in."""
    say("")
    say(f"API docs  {stack.web_url}/api/v1/docs    header  Authorization: Token {seeded['token']}")
    say(f"{'':{len(stack.web_url) + 26}}staff   Authorization: Token {seeded['admin_token']}")
    say(f"admin     {stack.web_url}/admin/         {seeded['admin_user']} / {seeded['admin_password']}")
    say(f"{'':{len(stack.web_url) + 26}}{seeded['approver_user']} / {seeded['approver_password']}")
    say(f"Flower    {stack.flower_url}             {stack.flower_login.replace(':', ' / ')}")
    exports = stack.write_environment().relative_to(supervisor.PROJECT)
    say(f"metrics   {stack.web_url}/metrics")
    say(f"shell     . {exports} && {sys.executable} manage.py doctor")


def left_over(stack: Stack, seeded: dict[str, Any], count: int) -> None:
    """Print what is left to try: the parked orders, and how to resolve them."""
    say("")
    parked = "1 parked order" if count == 1 else f"{count} parked orders"
    say(f"left to you: {parked}: the card refuses the capture, and an operator must act")
    say(f"  look      {stack.web_url}/admin/operations/incidents/")
    say(f"  act       settle capture_payment, as {seeded['admin_user']}: record that they were paid by transfer")
    say(f"  approve   the batch, as {seeded['approver_user']}: it moves money, so it needs a second person")
    say(f"  audit     until then `manage.py audit` reports {parked} and ends with exit code 4: it expects every saga")
    say("            to have ended. `manage.py audit --running` leaves out sagas that have not, and ends with 0")
