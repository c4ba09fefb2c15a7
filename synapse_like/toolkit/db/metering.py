"""What a lane tells whoever counts. The counting itself is in ``toolkit.metrics``."""

from typing import Protocol

from synapse_like.toolkit.db.errors import CommitUnknown, DatabaseError, DatabaseUnavailable, IntegrityViolated


class LaneMeters(Protocol):
    """Counts what a lane does. Called from its threads."""

    def seconds(self) -> float:
        """A time for measuring."""

    def began(self, waited_s: float) -> None:
        """A thread has taken a transaction up."""

    def ended(self, seconds: float) -> None:
        """It has been committed, or has failed."""

    def repeats(self) -> None:
        """An attempt failed and is made again."""

    def failed(self, kind: str) -> None:
        """It has failed for good, by a kind of `kind_of`."""


class Unmetered:
    """Counts nothing."""

    def seconds(self) -> float:
        """No time."""
        return 0.0

    def began(self, waited_s: float) -> None:
        """Nothing."""

    def ended(self, seconds: float) -> None:
        """Nothing."""

    def repeats(self) -> None:
        """Nothing."""

    def failed(self, kind: str) -> None:
        """Nothing."""


def kind_of(error: BaseException) -> str | None:
    """The kind of a failure: unavailable, unknown (a commit), integrity, statement; None for no fault of the database.

    A function may raise what it likes to say no, and a key that is taken is often an answer.
    """
    if isinstance(error, CommitUnknown):
        return "unknown"
    if isinstance(error, DatabaseUnavailable):
        return "unavailable"
    if isinstance(error, IntegrityViolated):
        return "integrity"
    return "statement" if isinstance(error, DatabaseError) else None
