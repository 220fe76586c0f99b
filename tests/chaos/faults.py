"""Every kind of fault in a chaos run."""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

import psycopg

from tests.chaos import messages
from tests.chaos.failover import fail_over
from tests.chaos.field import DidNotTakeHold, FaultKind, Field, some
from tests.chaos.fleet import ROLES
from tests.chaos.hosts import freeze_in_transaction, jump_clock, silence_host
from tests.chaos.proxy import Manner, Proxy
from tests.chaos.servers import LEDGERS, MAX_CONNECTIONS, OUTSIDE, SERVICES

LEASE_TWICE = 7.0
"""Seconds; a message is presumed lost after three."""
WHO_WAITS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
Strike = Callable[[Field, random.Random], str]


def end_worker(signum: signal.Signals, field: Field, chance: random.Random) -> str:
    return field.await_death(chance.choice(list(ROLES)), signum)


def kill_all_workers(field: Field, chance: random.Random) -> str:
    return "; ".join(field.await_death(name, signal.SIGKILL) for name in ROLES)


def kill_web(field: Field, chance: random.Random) -> str:
    return field.await_death("web", signal.SIGKILL)


def freeze_worker(field: Field, chance: random.Random) -> str:
    name = chance.choice(list(ROLES))
    try:
        process = field.fleet.signal(name, signal.SIGSTOP)
        field.hold(LEASE_TWICE)
        field.fleet.signal(name, signal.SIGCONT)
    except ProcessLookupError:
        raise DidNotTakeHold(f"{name} does not run") from None
    return f"{name}, pid {process.pid}, stood still for {LEASE_TWICE} s"


def roll_out(field: Field, chance: random.Random) -> str:
    """Restart one worker after the other, as a deploy does: each finishes what it runs."""
    return "; ".join(field.await_death(name, signal.SIGTERM) for name in ROLES)


def gathered(do: Callable[[Field, random.Random], int], field: Field, chance: random.Random) -> str:
    """Do something to waiting messages. All workers stand still for a moment, because messages
    hardly ever wait otherwise.
    """
    stopped = field.frozen_workers(1.5)
    try:
        return some(do(field, chance), "messages or queues")
    finally:
        field.thaw(stopped)


def purge(field: Field, chance: random.Random) -> int:
    return messages.purge(field.servers)


def delete_queues(field: Field, chance: random.Random) -> int:
    return messages.delete_queues(field.servers)


def double_and_shuffle(field: Field, chance: random.Random) -> int:
    return messages.double_and_shuffle(field.servers, chance)


def poison(kind: str, field: Field, chance: random.Random) -> str:
    return f"{kind} in {messages.poison(field.servers, kind, chance)}"


def restart(name: str | None, how: str, down: float, field: Field, chance: random.Random) -> str:
    """Kill or stop a server, and start it again after a while."""
    name = name or chance.choice(SERVICES)
    server = field.servers.everything[name]
    server.kill() if how == "kill" else server.stop()
    if server.is_running():
        raise DidNotTakeHold(f"{name} still runs")
    if how == "wipe":
        server.wipe()
    field.hold(down)
    server.start()
    return f"{name} ({how}) was down for {down} s"


def freeze_server(name: str, field: Field, chance: random.Random) -> str:
    server = field.servers.everything[name]
    server.pause()
    try:
        field.hold(5)
    finally:
        server.resume()
    return f"{name} stood still for 5 s"


def alarm(setting: str, bad: str, good: str, field: Field, chance: random.Random) -> str:
    """Raise a resource alarm: RabbitMQ blocks every publisher."""
    control(field, setting, bad)
    try:
        field.hold(6)
        status = control(field, "status")
    finally:
        control(field, setting, good)
    if "alarm" not in status.lower() or "(none)" in status.split("Alarms")[1][:60]:
        raise DidNotTakeHold(f"no alarm after {setting} {bad}")
    return f"alarm by {setting} {bad}"


def control(field: Field, *arguments: str) -> str:
    """Run rabbitmqctl on the private node."""
    rabbit = field.servers.rabbit
    setting, *values = arguments
    done = subprocess.run(
        ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-n", rabbit.node, setting, *" ".join(values).split()],
        env=rabbit.environment,
        cwd=rabbit.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise DidNotTakeHold(f"rabbitmqctl {setting}: {done.stderr[-300:]}")
    return done.stdout


@contextmanager
def behaving(proxy: Proxy, **manners: object) -> Iterator[Proxy]:
    """Make a proxy misbehave during the block."""
    for name, value in manners.items():
        setattr(proxy, name, value)
    try:
        yield proxy
    finally:
        proxy.heal()


def misbehave(name: str | None, seconds: float, counted: str, manners: dict[str, object]) -> Strike:
    """Return a strike that makes a proxy misbehave. `counted` names the counter of the proxy that is the evidence."""

    def strike(field: Field, chance: random.Random) -> str:
        chosen = name or chance.choice(SERVICES)
        proxy = field.servers.proxies[chosen]
        before = getattr(proxy, counted)
        with behaving(proxy, **manners):
            if "manner" in manners and manners["manner"] is Manner.REFUSE:
                proxy.reset_all()
            field.hold(seconds)
        return f"{chosen}: {some(getattr(proxy, counted) - before, counted)}"

    return strike


def reset(name: str | None, field: Field, chance: random.Random) -> str:
    chosen = name or chance.choice(SERVICES)
    return f"{chosen}: {some(field.servers.proxies[chosen].reset_all(), 'connections reset')}"


def terminate_in_transaction(field: Field, chance: random.Random) -> str:
    """Terminate a session inside a transaction (`pg_terminate_backend`). The session stays there
    because we hold its table.
    """
    alias = chance.choice(LEDGERS)
    until = time.monotonic() + 8
    with field.servers.connection(alias) as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {alias}_ledger IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
        ended = 0
        while not ended and time.monotonic() < until:
            field.hold(0.2)
            # Check this first, or the planner may choose any session.
            waiting = [pid for (pid,) in field.servers.ask(alias, WHO_WAITS)]
            ended = sum(field.servers.ask(alias, "SELECT pg_terminate_backend(%s)", pid)[0][0] for pid in waiting)
    return f"{alias}: {some(ended, 'backends ended inside a transaction')}"


def take_all_connections(field: Field, chance: random.Random) -> str:
    alias, held = chance.choice(SERVICES), []
    try:
        with suppress(psycopg.OperationalError):
            for _ in range(MAX_CONNECTIONS + 1):
                held.append(field.servers.connection(alias))
            raise DidNotTakeHold(f"{alias} lets everybody in")
        field.hold(4)
    finally:
        for connection in held:
            connection.close()
    return f"{alias} had no connection left, {len(held)} were ours"


def lock_ledger(field: Field, chance: random.Random) -> str:
    """Hold a table longer than the lock timeout: 55P03."""
    alias = chance.choice(LEDGERS)
    with field.servers.connection(alias) as connection, connection.transaction():
        connection.execute(f"LOCK TABLE {alias}_ledger IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
        field.hold(11)
        waiting = field.servers.ask(alias, "SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0]
    return f"{alias}_ledger was locked, {some(waiting, 'were waiting')}"


def two_operators(field: Field, chance: random.Random) -> str:
    """Run the same command on two hosts at the same time."""
    command = ("saga", "resume", chance.choice(["--stuck", "--parked"]), "--reason", "chaos", "--yes")
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: field.servers.manage(*command, check=False), range(2)))
    return f"{command[2]} ended with {[each.returncode for each in done]}"


KINDS = (
    FaultKind("worker killed", "processes", "workers", partial(end_worker, signal.SIGKILL)),
    FaultKind("worker shut down cold", "processes", "workers", partial(end_worker, signal.SIGQUIT)),
    FaultKind("worker shut down", "processes", "workers", partial(end_worker, signal.SIGTERM)),
    FaultKind("worker frozen for twice the lease", "processes", "workers", freeze_worker),
    FaultKind("worker frozen in a transaction", "processes", "workers", freeze_in_transaction),
    FaultKind("all workers killed", "processes", "workers", kill_all_workers),
    FaultKind("web killed", "processes", "web", kill_web),
    FaultKind("worker's clock jumps", "clocks", "workers", partial(jump_clock, list(ROLES))),
    FaultKind("web's clock jumps", "clocks", "web", partial(jump_clock, ["web"])),
    FaultKind("workers rolled out", "people and deploys", "workers", roll_out),
    FaultKind("two operators resume at once", "people and deploys", "operators", two_operators),
    FaultKind("queues purged", "messages", "rabbit", partial(gathered, purge)),
    FaultKind("queues deleted", "messages", "rabbit", partial(gathered, delete_queues)),
    FaultKind("messages doubled and shuffled", "messages", "rabbit", partial(gathered, double_and_shuffle)),
    FaultKind("poison: bad JSON", "messages", "rabbit", partial(poison, "bad JSON")),
    FaultKind("poison: unknown task", "messages", "rabbit", partial(poison, "unknown task")),
    FaultKind("poison: wrong schema", "messages", "rabbit", partial(poison, "wrong schema")),
    FaultKind("poison: 11 MB", "messages", "rabbit", partial(poison, "huge")),
    FaultKind("broker killed", "RabbitMQ", "rabbit", partial(restart, "rabbit", "kill", 1.0)),
    FaultKind("broker restarted", "RabbitMQ", "rabbit", partial(restart, "rabbit", "stop", 0.0)),
    FaultKind("broker wiped", "RabbitMQ", "rabbit", partial(restart, "rabbit", "wipe", 0.0)),
    FaultKind(
        "broker memory alarm",
        "RabbitMQ",
        "rabbit",
        partial(alarm, "set_vm_memory_high_watermark", "0.0000001", "0.4"),
    ),
    FaultKind("broker disk alarm", "RabbitMQ", "rabbit", partial(alarm, "set_disk_free_limit", "9000GB", "1MB")),
    FaultKind("broker half-open", "RabbitMQ", "rabbit", misbehave("rabbit", 8, "held", {"manner": Manner.SWALLOW})),
    FaultKind("broker deaf", "RabbitMQ", "rabbit", misbehave("rabbit", 8, "held", {"manner": Manner.DEAF})),
    FaultKind("broker's host silent", "RabbitMQ", "rabbit", partial(silence_host, "rabbit")),
    FaultKind("broker slow", "RabbitMQ", "rabbit", misbehave("rabbit", 5, "held", {"delay": 0.2})),
    FaultKind("broker connections reset", "RabbitMQ", "rabbit", partial(reset, "rabbit")),
    FaultKind("database killed", "PostgreSQL", "postgres", partial(restart, None, "kill", 1.0)),
    FaultKind("database restarted", "PostgreSQL", "postgres", partial(restart, None, "stop", 0.0)),
    FaultKind("database gone", "PostgreSQL", "postgres", partial(restart, None, "stop", 12.0)),
    FaultKind("backends terminated", "PostgreSQL", "postgres", terminate_in_transaction),
    FaultKind("replies to COMMIT lost", "PostgreSQL", "postgres", misbehave(None, 5, "cuts", {"cut_after": b"COMMIT"})),
    FaultKind("database slow", "PostgreSQL", "postgres", misbehave(None, 5, "held", {"delay": 0.3})),
    FaultKind("database half-open", "PostgreSQL", "postgres", misbehave(None, 8, "held", {"manner": Manner.SWALLOW})),
    FaultKind("database's host silent", "PostgreSQL", "postgres", partial(silence_host, None)),
    FaultKind("failover to a standby", "PostgreSQL", "postgres", fail_over),
    FaultKind("database refuses", "PostgreSQL", "postgres", misbehave(None, 4, "refused", {"manner": Manner.REFUSE})),
    FaultKind("out of connections", "PostgreSQL", "postgres", take_all_connections),
    FaultKind("ledger locked", "PostgreSQL", "postgres", lock_ledger),
    FaultKind("Redis killed", "Redis", "redis", partial(restart, "redis", "kill", 3.0)),
    FaultKind("Redis restarted empty", "Redis", "redis", partial(restart, "redis", "wipe", 0.5)),
    FaultKind("Redis frozen", "Redis", "redis", partial(freeze_server, "redis")),
    FaultKind("gateway and carrier down", "gateway, carrier", OUTSIDE, partial(restart, OUTSIDE, "kill", 4.0)),
    FaultKind("gateway and carrier slow", "gateway, carrier", OUTSIDE, misbehave(OUTSIDE, 5, "held", {"delay": 0.4})),
    FaultKind("gateway and carrier reset", "gateway, carrier", OUTSIDE, partial(reset, OUTSIDE)),
)
