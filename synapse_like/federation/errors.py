"""What goes wrong between servers.

```
Forbidden 403          ─ ServerDenied (we do not talk with that server)
Unauthorized 401       ─ BadServerSignature (the request or object is not signed as it must be)
ConnectionFailed 502   ─ BackingOff (not tried: it failed a moment ago), Unresolvable
BadStatus 502          ─ RemoteError (the other server answered, with an error)
BadGateway 502         ─ BadReply (the other server's answer cannot be used) ─ ReplyTooLarge
```

`ConnectionFailed` and `ConnectionTimeout` themselves come from `matrix.errors`.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from synapse_like.matrix.errors import (
    BadGateway,
    BadStatus,
    ConnectionFailed,
    Forbidden,
    IncompatibleRoomVersion,
    MatrixError,
    Unauthorized,
)

_LONGEST_SENTENCE: Final = 1000


class ServerDenied(Forbidden):
    """This server does not talk with that one: by whitelist, block list, or because federation is off."""

    default_message = "This server does not federate with that one"


class BadServerSignature(Unauthorized):
    """A request or an object does not carry a good signature of the server that it is said to be of."""

    default_message = "The signature of the server is missing or wrong"


class BackingOff(ConnectionFailed):
    """The server was not tried: it did not answer lately."""

    default_message = "The other server does not answer at the moment"


class Unresolvable(ConnectionFailed):
    """Nothing tells where the server is."""

    default_message = "The other server cannot be found"


class BadReply(BadGateway):
    """The other server answered with something that cannot be used."""


class ReplyTooLarge(BadReply):
    """The other server's answer is larger than what was allowed for it; the server itself is well."""

    default_message = "The other server's answer is too large"


class RemoteError(BadStatus):
    """The other server answered with an error.

    * `remote_status`    its HTTP status
    * `remote_errcode`   its Matrix code, ``M_UNKNOWN`` if it gave none
    * `remote_message`   its sentence
    * `remote_body`      the JSON object of the answer; empty if there was none
    """

    def __init__(self, destination: str, status: int, body: Any) -> None:
        self.destination = destination
        self.remote_status = status
        self.remote_body: dict[str, Any] = body if isinstance(body, dict) else {}
        self.remote_errcode = _text(self.remote_body.get("errcode"), "M_UNKNOWN")
        self.remote_message = _text(self.remote_body.get("error"), "")
        super().__init__(f"{destination} answered {status} {self.remote_errcode}: {self.remote_message}")

    @property
    def retry_after_ms(self) -> int | None:
        """How long the other server asks us to wait."""
        value = self.remote_body.get("retry_after_ms")
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    @property
    def is_trouble(self) -> bool:
        """Whether the fault is the other server's (5xx, 429) and a later try may succeed."""
        return self.remote_status >= 500 or self.remote_status == 429

    @property
    def is_unknown_endpoint(self) -> bool:
        """Whether the other server does not know the endpoint (and an older one may be tried)."""
        return self.remote_status in (400, 404, 405) and self.remote_errcode in ("M_UNRECOGNIZED", "M_UNKNOWN")

    def passed_on(self) -> MatrixError:
        """The error to tell our client: the other server's own if it is a refusal that we know, else this one."""
        if not 400 <= self.remote_status < 500:
            return self
        version = self.remote_body.get("room_version")
        if self.remote_errcode == IncompatibleRoomVersion.errcode and isinstance(version, str):
            return IncompatibleRoomVersion(self.remote_message, room_version=version)
        kind = _refusals().get((self.remote_status, self.remote_errcode))
        return kind(self.remote_message or None) if kind is not None else self


def _text(value: Any, default: str) -> str:
    return value[:_LONGEST_SENTENCE] if isinstance(value, str) else default


@cache
def _refusals() -> dict[tuple[int, str], type[MatrixError]]:
    """The refusals of the tree that need nothing but a sentence, by status and code; the most general one wins."""
    known: dict[tuple[int, str], type[MatrixError]] = {}
    for kind in _below(MatrixError):
        if 400 <= kind.status < 500 and kind.__init__ is MatrixError.__init__:
            known.setdefault((kind.status, kind.errcode), kind)
    return known


def _below(kind: type[MatrixError]) -> Iterator[type[MatrixError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == MatrixError.__module__:
            yield from _below(child)
