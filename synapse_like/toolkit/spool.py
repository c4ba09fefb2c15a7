"""Records on disk in the order in which they came, for what is too much to keep in memory. Gone with the process."""

import os
import struct
import tempfile
from collections.abc import Iterator
from typing import Final

_LENGTH: Final = struct.Struct("<I")
_READ_AT_ONCE: Final = 256 * 1024


class Spool:
    """A file without a name in the system's folder for temporary files. It is read after it was written."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=_READ_AT_ONCE)  # noqa: SIM115 (closed by `close`)
        self._size = 0
        self._is_flushed = True

    def __len__(self) -> int:
        """Its size in bytes."""
        return self._size

    def append(self, record: bytes) -> int:
        """Add a record; where it stands."""
        place = self._size
        self._file.write(_LENGTH.pack(len(record)))
        self._file.write(record)
        self._size += _LENGTH.size + len(record)
        self._is_flushed = False
        return place

    def at(self, place: int) -> bytes:
        """The record that stands there."""
        self._flush()
        (length,) = _LENGTH.unpack(os.pread(self._file.fileno(), _LENGTH.size, place))
        return os.pread(self._file.fileno(), length, place + _LENGTH.size)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """All records in order, each with its place."""
        self._flush()
        place = start = 0
        data = b""
        while place < self._size:
            inside = place - start
            end = inside + _LENGTH.size
            if end <= len(data):
                (length,) = _LENGTH.unpack_from(data, inside)
                if end + length <= len(data):
                    yield place, data[end : end + length]
                    place += _LENGTH.size + length
                    continue
                wanted = max(_READ_AT_ONCE, _LENGTH.size + length)
            else:
                wanted = _READ_AT_ONCE
            start, data = place, os.pread(self._file.fileno(), wanted, place)
            if not data:
                raise EOFError("The file with what was put aside has become shorter")

    def close(self) -> None:
        """Forget everything."""
        self._file.close()

    def _flush(self) -> None:
        if not self._is_flushed:
            self._file.flush()
            self._is_flushed = True
