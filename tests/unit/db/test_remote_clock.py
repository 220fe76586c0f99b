"""A server's clock as a process knows it."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from orchestration.db import clocks
from orchestration.db.clocks import ERROR_BORNE, READ_EVERY, TOO_OLD, RemoteClock
from orchestration.db.uptime import UptimeReading

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Host:
    """This host's uptime, turned by hand, and a server that says `noon` plus it, `took` seconds late."""

    def __init__(self) -> None:
        self.uptime, self.noon, self.took, self.asked = 100.0, NOON, 0.0, 0
        self.is_away = False

    def __call__(self) -> float:
        return self.uptime

    def ask(self) -> UptimeReading:
        self.asked += 1
        if self.is_away:
            raise OperationalError("gone")
        return UptimeReading(self.noon + timedelta(seconds=self.uptime), self.uptime, self.took / 2)

    def says(self) -> datetime:
        return self.noon + timedelta(seconds=self.uptime)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(clocks, "uptime", host)
    monkeypatch.setattr("orchestration.db.uptime.uptime", host)
    return host


@pytest.fixture
def clock(host: Host) -> RemoteClock:
    return RemoteClock("the database", host.ask)


def test_a_reading_is_carried_on_by_the_uptime_and_not_taken_again_at_once(host: Host, clock: RemoteClock) -> None:
    clock.now()
    host.uptime += READ_EVERY - 1

    assert clock.now() == host.says()
    assert host.asked == 1


def test_a_server_whose_clock_was_set_is_believed_after_seconds(host: Host, clock: RemoteClock) -> None:
    clock.now()
    host.noon -= timedelta(hours=1)
    host.uptime += READ_EVERY

    assert clock.now() == host.says()


def test_a_slow_reading_is_not_used_while_the_last_one_is_good(host: Host, clock: RemoteClock) -> None:
    clock.now()
    host.noon, host.took = NOON + SECOND, 4 * ERROR_BORNE
    host.uptime += READ_EVERY
    assert clock.now() == host.says() - SECOND

    host.uptime += TOO_OLD
    assert clock.now() == host.says()


def test_a_server_that_is_away_leaves_the_last_reading_and_is_not_asked_each_time(
    host: Host, clock: RemoteClock
) -> None:
    clock.now()
    host.is_away = True
    host.uptime += READ_EVERY

    assert [clock.now(), clock.now()] == [host.says()] * 2
    assert host.asked == 2


def test_a_server_that_was_never_there_has_no_time(host: Host, clock: RemoteClock) -> None:
    host.is_away = True
    with pytest.raises(OperationalError):
        clock.now()


def test_a_wrong_clock_of_this_host_is_reported_once(
    host: Host, clock: RemoteClock, caplog: pytest.LogCaptureFixture
) -> None:
    host.noon = datetime.now(UTC) - timedelta(hours=1) - timedelta(seconds=host.uptime)
    for _ in range(3):
        clock.now()
        host.noon -= timedelta(seconds=READ_EVERY)  # as much as passes here: nothing does on the clock that is wrong
        host.uptime += READ_EVERY

    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == "this host's clock is 3600.0 s ahead of that of the database, which decides: set it (NTP)"


def test_a_reading_was_taken_between_question_and_answer() -> None:
    reading = UptimeReading.between(10.0, NOON, 10.4)

    assert (reading.at, round(reading.error, 3)) == (10.2, 0.2)


def test_an_id_says_the_time_it_is_given() -> None:
    at = NOON + timedelta(milliseconds=7)
    ids = {clocks.new_id(at), clocks.new_id(at)}

    assert len(ids) == 2
    assert {each.int >> 80 for each in ids} == {int(at.timestamp() * 1000)}
