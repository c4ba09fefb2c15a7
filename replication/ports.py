"""What this library asks of its surroundings, as Protocols. The toolkit fits without knowing it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]


class Unavailable(Exception):
    """The database cannot be asked at the moment; the transaction left nothing behind, and was nobody's fault."""


class OutcomeUnknown(Exception):
    """The connection broke while COMMIT was under way: the transaction may or may not have happened."""


class Transaction(Protocol):
    """A database transaction in a thread of its own."""

    engine_name: str
    """"sqlite" or "postgresql"."""

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Every row of a query."""
        ...

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a query, or None."""
        ...

    def run(self, sql: str, /, **values: Any) -> int:
        """Run a statement; how many rows it touched."""
        ...

    def rows(self, sql: str, rows: Sequence[Sequence[Any]], /) -> int:
        """Run a `VALUES :rows` statement; how many rows it touched."""
        ...

    def put(self, sql: str, rows: Sequence[Sequence[Any]], /) -> None:
        """As `rows`, where nobody asks how many: it may travel, and fail, with the next statement or with COMMIT."""
        ...

    def query_rows(self, sql: str, rows: Sequence[Sequence[Any]], /) -> list[Row]:
        """Run a `VALUES :rows` query."""
        ...


class Transactions(Protocol):
    """Runs functions on transactions; results come back on the reactor's thread."""

    def read(self, function: Callable[[Any], T]) -> Awaitable[T]:
        """Run in one read-only snapshot."""
        ...

    def write(self, function: Callable[[Any], T]) -> Awaitable[T]:
        """Run in a short transaction of its own."""
        ...

    def commit(
        self,
        function: Callable[[Any], T],
        on_done: Callable[[T], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        """Run in the log's lane. It fails with Unavailable, OutcomeUnknown, or what `function` raised."""
        ...


class Clock(Protocol):
    """Time, and later."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds that only ever grow."""
        ...

    def call_later(self, seconds: float, function: Callable[[], object]) -> Any:
        """Call `function` later, on the reactor's thread."""
        ...


class Meters(Protocol):
    """Hears what this library does, to count it. Called on hot paths: what is counted has been bound beforehand."""

    def seconds(self) -> float:
        """A time for measuring; its zero means nothing."""
        ...

    def stored(self, waits_s: Sequence[float], facts: int, seconds: float) -> None:
        """A batch was committed: how long each append had waited since its submission, how many facts, how long."""
        ...

    def not_stored(self, outcome: str) -> None:
        """A batch was not: "split" (its parts are tried), "refused", "unavailable", or "unknown" (looked up later)."""
        ...

    def lost(self, family: str) -> None:
        """A shard turned out to belong to another process by now."""
        ...

    def published(self, family: str, kind: str, streams: Sequence[str]) -> None:
        """A frame went out: its kind ("facts", "ephemeral" or "position"), and the stream of each of its facts."""
        ...

    def heard(self, family: str, kind: str, facts: int) -> None:
        """A frame came in, of this process too."""
        ...

    def missed(self, family: str) -> None:
        """A frame did not follow on."""
        ...

    def refilled(self, family: str, seconds: float, *, has_failed: bool) -> None:
        """What was missed has been fetched from the database, or could not be."""
        ...

    def calling(self, method: str) -> Callable[[str], None]:
        """A call to another process begins; the answer is to be called at its end with the outcome.

        Outcomes: "answered", "raised", "moved", "deadline", "cancelled", "lost" (connection), "full" (back pressure).
        """
        ...

    def serving(self, method: str) -> Callable[[str], None]:
        """The same for a call of another process that this one carries out."""
        ...


class Unmetered:
    """Counts nothing."""

    def seconds(self) -> float:
        """No time."""
        return 0.0

    def stored(self, waits_s: Sequence[float], facts: int, seconds: float) -> None:
        """Nothing."""

    def not_stored(self, outcome: str) -> None:
        """Nothing."""

    def lost(self, family: str) -> None:
        """Nothing."""

    def published(self, family: str, kind: str, streams: Sequence[str]) -> None:
        """Nothing."""

    def heard(self, family: str, kind: str, facts: int) -> None:
        """Nothing."""

    def missed(self, family: str) -> None:
        """Nothing."""

    def refilled(self, family: str, seconds: float, *, has_failed: bool) -> None:
        """Nothing."""

    def calling(self, method: str) -> Callable[[str], None]:
        """Nothing."""
        return _ignore

    def serving(self, method: str) -> Callable[[str], None]:
        """Nothing."""
        return _ignore


def _ignore(_: str) -> None:
    """Nobody counts."""
