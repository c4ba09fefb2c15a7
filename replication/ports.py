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

    def call_later(self, seconds: float, function: Callable[[], object]) -> Any:
        """Call `function` later, on the reactor's thread."""
        ...
