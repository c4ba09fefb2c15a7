"""What a function that runs in a database thread may do: a transaction, the same for both engines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Row = tuple[Any, ...]
Observer = Callable[[str], None]


class Transaction(Protocol):
    """One open transaction, used by one thread. Statements are the texts of `sqltext`, values are always parameters."""

    engine_name: str
    """"sqlite" or "postgresql", for the few questions that need two texts."""

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
        """Run a statement that holds `VALUES :rows` for all `rows`; how many rows it touched (0 for none)."""
        ...

    def put(self, sql: str, rows: Sequence[Sequence[Any]], /) -> None:
        """As `rows`, where nobody asks how many: it may travel, and fail, with the next statement or with COMMIT."""
        ...

    def query_rows(self, sql: str, rows: Sequence[Sequence[Any]], /) -> list[Row]:
        """Run a query that holds `VALUES :rows` and return its rows. No rows: nothing."""
        ...


class EngineTransaction(Transaction, Protocol):
    """A transaction as the engines give it to `database`, which alone ends it."""

    def commit(self) -> None:
        """Make it last; raises CommitUnknown when nobody can tell whether it did.

        Where a statement failed and its error was swallowed, nothing is kept and DatabaseError is raised.
        """
        ...

    def rollback(self) -> bool:
        """Forget it. Never raises; False when the connection is of no more use."""
        ...


class Connection(Protocol):
    """One connection, used by one thread at a time."""

    def begin(self, *, is_read_only: bool) -> EngineTransaction:
        """Start a transaction: a read-only snapshot, or one that may write. Raises Repeatable."""
        ...

    def close(self) -> None:
        """Give the connection back to the system. Never raises."""
        ...


class Engine(Protocol):
    """A kind of database."""

    name: str
    has_one_writer: bool

    def connect(self, observer: Observer) -> Connection:
        """Open a connection; `observer` hears the text of every statement. Raises DatabaseUnavailable."""
        ...

    def close(self) -> None:
        """Release what the engine holds besides connections (a lock file)."""
        ...


Arguments = Mapping[str, Any]
