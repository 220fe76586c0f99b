"""A chaos run: orders all the time, random faults, then a quiet phase and the audit."""

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg
from amqp.exceptions import AMQPError

from orchestration.protocol.states import ENDED
from tests.chaos import messages
from tests.chaos.customers import Customer, Responses
from tests.chaos.faults import KINDS
from tests.chaos.field import DidNotTakeHold, FaultKind, Field
from tests.chaos.fleet import Fleet
from tests.chaos.servers import Servers

CUSTOMERS = 6
AT_ONCE = 2
CALM_SECONDS = 300.0
LONGEST_WAIT = timedelta(seconds=3)
"""For a retry, if waits are shortened."""
TRY_SECONDS = 60.0
"""How long a fault without effect is tried again. While the broker is away (up to half a minute on a busy machine)
nothing is committed, and a fault that waits for a COMMIT finds none.
"""
ENDS = sorted(ENDED)


@dataclass
class Report:
    """The result of a run."""

    seed: int
    minutes: float
    planned: list[str] = field(default_factory=list)
    evidence: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each fault had an effect, by its group and kind."""
    ends: dict[str, int] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    """How often each saga was dispatched."""
    seconds_to_quiet: float = 0.0
    resumed: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    """Everything that must not be."""


def run(*, minutes: float, seed: int, directory: Path, shorten_waits: bool = False) -> Report:
    """Run the whole test in that directory. Nothing is left running afterwards.

    :param shorten_waits: after the last fault, shorten the sagas' waits for a retry from minutes to seconds.
    """
    report, chance = Report(seed, minutes), random.Random(seed)
    with ExitStack() as stack:
        servers = Servers(directory)
        stack.callback(servers.close)
        servers.start()
        seeded = servers.seed()
        fleet = Fleet(servers, directory)
        stack.callback(fleet.close)
        fleet.start()
        field_ = Field(servers, fleet, Responses(), directory / "evidence")
        _set_up_shop(field_, seeded, report, chance)
        _calm_down(field_, report, shorten_waits=shorten_waits)
        _run_audit(field_, report)
    return report


def plan(chance: random.Random) -> list[FaultKind]:
    """List every kind once, in the order that the seed gives."""
    return chance.sample(KINDS, len(KINDS))


def _set_up_shop(field_: Field, seeded: dict[str, object], report: Report, chance: random.Random) -> None:
    closed = threading.Event()
    customers = [
        Customer(field_.fleet.web_url, seeded, field_.heard, f"{report.seed}-{number}", closed)
        for number in range(CUSTOMERS)
    ]
    for customer in customers:
        customer.start()
    _wait_for(lambda: len(field_.heard.ids) >= CUSTOMERS, 60, "the first orders")
    _inject_faults(field_, report, chance, until=time.monotonic() + report.minutes * 60)
    closed.set()
    for customer in customers:
        customer.join(timeout=60)
        customer.give_up()


def _inject_faults(field_: Field, report: Report, chance: random.Random, *, until: float) -> None:
    """Strike at random, at most two faults at once and never two on the same target."""
    left: list[FaultKind] = []
    running: dict[Future[None], FaultKind] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while time.monotonic() < until:
            left = left or plan(chance)
            busy = {kind.target for kind in running.values()}
            fitting = [kind for kind in left if kind.target not in busy]
            if fitting and len(running) < AT_ONCE:
                kind = fitting[0]
                left.remove(kind)
                report.planned.append(kind.name)
                running[pool.submit(_strike, field_, report, kind, random.Random(chance.random()))] = kind
            done, _ = wait(running, timeout=chance.uniform(0.3, 2.5), return_when="FIRST_COMPLETED")
            for each in done:
                running.pop(each)
                each.result()


def _strike(field_: Field, report: Report, kind: FaultKind, chance: random.Random) -> None:
    until = time.monotonic() + TRY_SECONDS
    while time.monotonic() < until:
        try:
            what = kind.strike(field_, chance)
        except (DidNotTakeHold, psycopg.Error, AMQPError, OSError):
            field_.hold(0.5)
            continue
        field_.record(kind, what)
        report.evidence[kind.group, kind.name] += 1
        return


def _calm_down(field_: Field, report: Report, *, shorten_waits: bool) -> None:
    """Heal everything and wait until no saga is under way. A parked saga is resumed once by an operator."""
    servers = field_.servers
    for proxy in servers.proxies.values():
        proxy.heal()
    for name, server in servers.everything.items():
        server.resume()
        if not server.is_running():
            report.wrong.append(f"{name} was left down")
            server.start()
    began = time.monotonic()
    while unfinished := _unfinished(servers):
        if time.monotonic() - began > CALM_SECONDS:
            report.wrong += [f"stuck: {each}" for each in unfinished[:20]]
            break
        if all(parked for *_, parked in unfinished):
            report.resumed += len(unfinished)
            servers.manage("saga", "resume", "--parked", "--reason", "chaos is over", "--yes", check=False)
        if shorten_waits:
            _shorten_waits(servers)
        time.sleep(0.5)
    report.seconds_to_quiet = time.monotonic() - began


def _run_audit(field_: Field, report: Report) -> None:
    servers, heard = field_.servers, field_.heard
    _wait_for(lambda: not sum(list(messages.counts(servers).values())[:-1]), 60, "empty queues")
    rows = servers.ask("orchestration", "SELECT id, phase, token FROM orchestration_sagainstance")
    report.ends, report.sent = dict(Counter(phase for _, phase, _ in rows)), [token for *_, token in rows]
    report.answers, report.refused = dict(heard.answers), dict(heard.refused)
    known = {saga_id for saga_id, *_ in rows}
    report.wrong += heard.contradictions
    report.wrong += [
        f"accepted as {saga}, and there is no such saga" for saga in heard.ids.values() if saga not in known
    ]
    if len(known) > len(heard.ids):
        unheard = len(known) - len(heard.ids)
        report.wrong += [f"{unheard} sagas of which no customer was told"] * (unheard > CUSTOMERS)
    report.wrong += [f"in the dead-letter queue: {each}" for each in messages.unexplained_dead_letters(servers)]
    audit = servers.manage("audit", "--format", "json", check=False)
    if audit.returncode:
        report.wrong.append(f"audit: {_reported(audit.stdout) or audit.stderr[-2000:]}")
    names = {name for _, name in report.evidence}
    report.wrong += [
        f"no evidence that it happened: {name}" for name in dict.fromkeys(report.planned) if name not in names
    ]


def _shorten_waits(servers: Servers) -> None:
    """Shorten every wait for a retry to seconds. Recovery must still find the saga and dispatch it."""
    with suppress(psycopg.OperationalError), servers.connection("orchestration") as connection:
        connection.execute(
            "UPDATE orchestration_sagainstance SET due_at = now() + random() * %(longest)s "
            "WHERE NOT phase = ANY(%(ends)s) AND due_at > now() + 2 * %(longest)s",
            {"longest": LONGEST_WAIT, "ends": ENDS},
        )


def _unfinished(servers: Servers) -> list[tuple[object, ...]]:
    try:
        return servers.ask(
            "orchestration",
            "SELECT id, phase, due_at, in_flight, progress::text, parked AND due_at IS NULL "
            "FROM orchestration_sagainstance WHERE NOT phase = ANY(%s)",
            ENDS,
        )
    except psycopg.OperationalError:
        return [("the database does not answer", False)]


def _reported(text: str) -> str:
    try:
        return json.dumps(json.loads(text).get("violations", text))[:6000]
    except ValueError:
        return ""


def _wait_for(condition, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)
