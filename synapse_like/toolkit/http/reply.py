"""What a handler answers, and turning it into bytes. Status lines and connections are in ``protocol``."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

JSON: Final = "application/json"

JsonBody = Mapping[str, Any] | msgspec.Struct | Sequence[Any]
"""What is encoded as JSON. Ready-made JSON inside it is a ``msgspec.Raw``."""

_ENCODER: Final = msgspec.json.Encoder()


class Reply:
    """An answer: a status, a body, and headers beyond those that every reply has."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | JsonBody = b"",
        headers: Sequence[tuple[str, str]] = (),
        *,
        content_type: str = JSON,
    ) -> None:
        """Take the parts. A body that is not bytes is encoded as JSON, at once.

        A ``Content-Type`` among the headers replaces ``content_type``. Raises ValueError for a header that would
        break out of its line.
        """
        self.status = status
        self.body = body if isinstance(body, bytes) else encode_json(body)
        self.content_type = content_type
        self.headers: list[tuple[str, str]] = []
        for name, value in headers:
            self.add_header(name, value)

    def add_header(self, name: str, value: str) -> None:
        """Add one header."""
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"Header {name} spans lines")
        if name.lower() == "content-type":
            self.content_type = value
        else:
            self.headers.append((name, value))


def html(text: str, status: int = 200) -> Reply:
    """Return a page."""
    return Reply(status, text.encode(), content_type="text/html; charset=utf-8")


def redirect(location: str) -> Reply:
    """Return a 302 to another address."""
    return Reply(302, b"", (("Location", location),), content_type="text/plain; charset=utf-8")


def as_reply(answer: Reply | JsonBody) -> Reply:
    """Return what a handler answered as a Reply: anything else is the JSON body of a 200."""
    return answer if isinstance(answer, Reply) else Reply(200, answer)


def encode_json(value: JsonBody) -> bytes:
    """Return JSON bytes; numbers that JSON does not know (NaN) become null."""
    return _ENCODER.encode(value)
