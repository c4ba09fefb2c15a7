"""Sinks: where the body of an answer goes."""

from collections.abc import Callable
from typing import Final

from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.outgoing.errors import AnswerTooLarge

ERROR_LIMIT_BYTES: Final = 64 * 1024
"""What is read of an answer that says what went wrong."""


class Collected:
    """Keeps the whole answer, up to a limit in bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self.status = 0
        self.headers = Headers()
        self._limit = limit_bytes
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def body(self) -> bytes:
        """The body so far."""
        return b"".join(self._parts)

    def begin(self, status: int, headers: Headers) -> None:
        """Take the head. Raises AnswerTooLarge if it announces too much."""
        self.status, self.headers = status, headers
        announced = headers.get("content-length") or ""
        if announced.isdecimal() and int(announced) > self._limit:
            raise AnswerTooLarge()

    def write(self, part: bytes) -> None:
        """Keep a piece. Raises AnswerTooLarge."""
        self._size += len(part)
        if self._size > self._limit:
            raise AnswerTooLarge()
        self._parts.append(part)


class Streamed:
    """Hands the body of a 200 on as it comes; keeps what comes with any other status."""

    def __init__(self, write: Callable[[bytes], object], limit_bytes: int) -> None:
        self.refusal = Collected(ERROR_LIMIT_BYTES)
        self.status = 0
        self._write = write
        self._limit = limit_bytes
        self._size = 0

    def begin(self, status: int, headers: Headers) -> None:
        """Take the head."""
        self.status = status
        if status != 200:
            self.refusal.begin(status, headers)

    def write(self, part: bytes) -> None:
        """Hand a piece on. Raises AnswerTooLarge, and what the taker raises."""
        if self.status != 200:
            self.refusal.write(part)
            return
        self._size += len(part)
        if self._size > self._limit:
            raise AnswerTooLarge()
        self._write(part)
