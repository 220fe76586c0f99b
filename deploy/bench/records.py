"""A file of timed events of orders: records of a fixed size that many processes append."""

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from uuid import UUID

SHARED_MEMORY = Path("/dev/shm")
_RECORD = struct.Struct("<16sdB")
"""The order's id, seconds since 1970, the event."""


class EventKind(IntEnum):
    """An event of an order."""

    STARTED = 0
    """Written only when another process than the reader makes the load. `at` is when the order was due."""
    COMPLETED = 1
    COMPENSATED = 2
    UNDECIDED = 3
    """A client waited for the order's outcome and did not receive it."""


@dataclass(frozen=True)
class Record:
    """One event of one order; `at` in seconds since 1970."""

    order: UUID
    what: EventKind
    at: float


class Recorder:
    """Appends to a record file. Each batch is a single write, so that records of other processes cannot split it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def add(self, records: Iterable[Record]) -> None:
        """Append the records."""
        os.write(self._file, b"".join(_RECORD.pack(each.order.bytes, each.at, each.what) for each in records))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class Tail:
    """Reads a record file while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def skip(self) -> None:
        """Skip what is in the file now."""
        self._read = self._whole()

    def more(self) -> list[Record]:
        """Return the records added since the last call. An incomplete record is returned by a later call."""
        end = self._whole()
        if end == self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            chunk = file.read(end - self._read)
        self._read = end
        return [Record(UUID(bytes=order), EventKind(what), at) for order, at, what in _RECORD.iter_unpack(chunk)]

    def _whole(self) -> int:
        return self.path.stat().st_size // _RECORD.size * _RECORD.size


@contextmanager
def new_file() -> Iterator[Path]:
    """Create an empty record file, in shared memory if the machine has it. Delete it after the block."""
    directory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.NamedTemporaryFile(prefix="bench-", dir=directory) as file:
        yield Path(file.name)
