"""Faults of hosts: one freezes in the middle of its work, one vanishes, the clock of one jumps."""

import random
import signal
import time
from collections.abc import Sequence

from tests.chaos.field import DidNotTakeHold, Field, some
from tests.chaos.fleet import ROLES
from tests.chaos.servers import LEDGERS, SERVICES
from tests.support.faketime import AHEAD, BEHIND, RIGHT

FROZEN_SECONDS = 14.0
"""Longer than its sessions and the broker wait for it."""
WRONG_SECONDS = 8.0
"""Longer than a process goes without comparing its clock with a server's."""
NOTICED = {AHEAD: " s ahead of that of ", BEHIND: " s behind that of "}
"""What a process logs at the comparison."""
WAITING = (
    "SELECT application_name FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = ANY(%s)"
)
LEFT_OPEN = (
    "SELECT pid FROM pg_stat_activity "
    "WHERE datname = current_database() AND state = 'idle in transaction' AND application_name = %s"
)


def freeze_in_transaction(field: Field, chance: random.Random) -> str:
    """Freeze a worker that waits for a table inside a transaction. It gets the table and then sends nothing more."""
    alias = chance.choice(LEDGERS)
    with field.servers.connection(alias) as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {alias}_ledger IN SHARE MODE")  # type: ignore[arg-type]
        name = _who_waits(field, alias)
        try:
            process = field.fleet.signal(name, signal.SIGSTOP)
        except ProcessLookupError:
            raise DidNotTakeHold(f"{name} does not run") from None
    try:
        field.hold(0.5)
        left = some(len(field.servers.ask(alias, LEFT_OPEN, name)), "transactions left open")
        field.hold(FROZEN_SECONDS)
    finally:
        process.send(signal.SIGCONT)
    return f"{name}, pid {process.pid}, stood still for {FROZEN_SECONDS} s: {left} in {alias}"


def silence_host(name: str | None, field: Field, chance: random.Random) -> str:
    """Silence the host behind an address: its connections are silent for ever, new ones reach another host."""
    chosen = name or chance.choice(SERVICES)
    silent = some(field.servers.proxies[chosen].silence(), "connections silent for ever")
    field.hold(3)
    return f"{chosen}: {silent}"


def jump_clock(names: Sequence[str], field: Field, chance: random.Random) -> str:
    """Set the clock of a member's host wrong by an hour while it works, and then right again."""
    name, offset = chance.choice(names), chance.choice([AHEAD, BEHIND])
    logged = len(field.fleet.log(name))
    field.fleet.set_clock(name, offset)
    try:
        field.hold(WRONG_SECONDS)
    finally:
        field.fleet.set_clock(name, RIGHT)
    noticed = [line for line in field.fleet.log(name)[logged:].splitlines() if "this host's clock is" in line]
    servers = some(sum(NOTICED[offset] in line for line in noticed), "servers were seen to have another time")
    return f"{name} had {offset} for {WRONG_SECONDS} s: {servers}"


def _who_waits(field: Field, alias: str) -> str:
    until = time.monotonic() + 5
    while not (found := field.servers.ask(alias, WAITING, list(ROLES))):
        if time.monotonic() > until:
            raise DidNotTakeHold(f"nobody wants {alias}_ledger")
        field.hold(0.02)
    return str(found[0][0])
