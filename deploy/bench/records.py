"""What happened to orders, and when: records of one size that many processes append to one file."""

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
"""The order's id, seconds since 1970, what happened."""


class What(IntEnum):
    """What happened to an order."""

    STARTED = 0
    """Written only where the load comes from another process than the one that reads; `at` is when it was due."""
    COMPLETED = 1
    COMPENSATED = 2
    UNDECIDED = 3
    """Somebody waited for it and was told nothing."""


@dataclass(frozen=True)
class Record:
    """One thing that happened to one order; `at` in seconds since 1970."""

    order: UUID
    what: What
    at: float


class Recorder:
    """Appends to a record file: all records of a batch with one write, so that no other process comes between."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def add(self, records: Iterable[Record]) -> None:
        """Append the records."""
        os.write(self._file, b"".join(_RECORD.pack(each.order.bytes, each.at, each.what) for each in records))

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)


class Tail:
    """Reads a record file while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def skip(self) -> None:
        """Leave out what is there now."""
        self._read = self._whole()

    def more(self) -> list[Record]:
        """Give the records that have come since the last call; half a record waits for its other half."""
        end = self._whole()
        if end == self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            chunk = file.read(end - self._read)
        self._read = end
        return [Record(UUID(bytes=order), What(what), at) for order, at, what in _RECORD.iter_unpack(chunk)]

    def _whole(self) -> int:
        return self.path.stat().st_size // _RECORD.size * _RECORD.size


@contextmanager
def new_file() -> Iterator[Path]:
    """Make an empty record file, in shared memory where there is some; it is gone after the block."""
    directory = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.NamedTemporaryFile(prefix="bench-", dir=directory) as file:
        yield Path(file.name)
