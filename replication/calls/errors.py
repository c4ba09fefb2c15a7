"""What can become of a call besides its result."""

from typing import Final

from twisted.internet.defer import CancelledError

MOVED: Final = "moved"
"""The kind of a failure that says that the shard is owned elsewhere."""


class Unreachable(Exception):
    """The process could not be reached, or the connection broke: whether it has carried out the call is not known.

    `is_refused`: nobody listens there, so the process is gone.
    """

    def __init__(self, name: str, reason: str, *, is_refused: bool = False, was_sent: bool = False) -> None:
        super().__init__(f"{name} cannot be reached: {reason}")
        self.name = name
        self.is_refused = is_refused
        self.was_sent = was_sent


class CallTimedOut(Exception):
    """The process did not answer in time; it has been told to stop."""


class Overloaded(Exception):
    """More calls wait than may; come back later."""


class CallFailed(Exception):
    """The other process answered with a failure: its `kind`, and what goes with it."""

    def __init__(self, kind: str, body: bytes = b"") -> None:
        super().__init__(f"the call failed: {kind}")
        self.kind = kind
        self.body = body


def outcome_of(error: BaseException) -> str:
    """What became of a call that failed, in the words of the meters."""
    if isinstance(error, CallFailed):
        return MOVED if error.kind == MOVED else "raised"
    for kind, outcome in _OUTCOMES.items():
        if isinstance(error, kind):
            return outcome
    return "raised"


_OUTCOMES: Final[dict[type[BaseException], str]] = {
    Unreachable: "lost",
    CallTimedOut: "deadline",
    Overloaded: "full",
    CancelledError: "cancelled",
}
