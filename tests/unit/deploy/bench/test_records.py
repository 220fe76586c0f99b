"""The file that says what happened to orders."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from deploy.bench import records
from deploy.bench.records import EventKind, Record, Recorder, Tail
from deploy.peers import work

SIZE = 25


@pytest.fixture
def file() -> Iterator[Path]:
    with records.new_file() as path:
        yield path


def some(count: int) -> list[Record]:
    return [Record(uuid4(), EventKind.COMPLETED, 1_700_000_000.25 + number) for number in range(count)]


def test_what_is_appended_is_read_once(file: Path) -> None:
    written, tail = some(5), Tail(file)
    Recorder(file).add(written[:3])
    assert tail.more() == written[:3]
    assert tail.more() == []
    Recorder(file).add(written[3:])
    assert tail.more() == written[3:]


def test_half_a_record_waits_for_its_other_half(file: Path) -> None:
    first, second = some(2)
    Recorder(file).add([first, second])
    whole = file.read_bytes()
    tail = Tail(file)
    file.write_bytes(whole[: SIZE + 7])
    assert tail.more() == [first]
    assert tail.more() == []
    file.write_bytes(whole)
    assert tail.more() == [second]


def test_what_was_there_before_can_be_left_out(file: Path) -> None:
    before, after = some(2)
    recorder, tail = Recorder(file), Tail(file)
    recorder.add([before])
    tail.skip()
    recorder.add([after])
    assert tail.more() == [after]


def test_recorders_of_several_processes_add_to_one_file(file: Path) -> None:
    written = some(4)
    recorders = [Recorder(file), Recorder(file)]
    for number, record in enumerate(written):
        recorders[number % 2].add([record])
    assert Tail(file).more() == written


def test_the_file_is_gone_afterwards() -> None:
    with records.new_file() as path:
        assert path.exists()
    assert not path.exists()


def test_peers_write_what_we_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERS_RECORDS", str(file))
    monkeypatch.setattr(work, "_records", None)
    order = uuid4()
    for what in (work.STARTED, work.COMPLETED, work.COMPENSATED):
        work.record(str(order), what, 12.5)
    found = Tail(file).more()
    assert found == [
        Record(UUID(str(order)), what, 12.5) for what in (EventKind.STARTED, EventKind.COMPLETED, EventKind.COMPENSATED)
    ]
