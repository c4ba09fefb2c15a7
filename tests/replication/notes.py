"""A stream of notes on pages, sites that share a database, and a database that fails on demand. No test lives here."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet import reactor

from replication import sql
from replication.bus import MemoryBus
from replication.committer import Committer
from replication.log import Log
from replication.ports import OutcomeUnknown, Transaction, Transactions, Unavailable
from replication.reader import Reader
from replication.shards import Holdings
from replication.streams import Fact, Family, Storage, Stream
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, migrate, migrations_in

FAMILY = Family("page", shards=4)


class Note(Fact):
    page: str
    text: str


NOTES = Stream("notes", FAMILY, Note, key="page")


def store(transaction: Transaction, notes: Sequence[Note]) -> None:
    transaction.rows(
        "INSERT INTO notes (number, page, text) VALUES :rows", [(note.number, note.page, note.text) for note in notes]
    )


def load(transaction: Transaction, after: int, upto: int) -> Sequence[Note]:
    rows = transaction.all(
        "SELECT number, page, text FROM notes WHERE number > :after AND number <= :upto ORDER BY number",
        after=after,
        upto=upto,
    )
    return [Note(number=number, page=page, text=text) for number, page, text in rows]


STORAGE = Storage(NOTES, store, load)


def prepare(transaction: Transaction) -> None:
    """The tables of an empty database."""
    migrate(transaction, transaction.engine_name, migrations_in("replication"))
    transaction.run("CREATE TABLE notes (number BIGINT PRIMARY KEY, page TEXT NOT NULL, text TEXT NOT NULL UNIQUE)")
    sql.create_shards(transaction, FAMILY.name, FAMILY.shards)


class FailingCommits:
    """A database whose next commits fail as told: "away" (not run), "lost" (not run, and unknown whether), "kept" (run,
    and unknown whether), "" (as usual). Counts the commits that were asked for.
    """

    def __init__(self, database: Transactions, faults: Iterable[str] = ()) -> None:
        self._database = database
        self.faults = deque(faults)
        self.commits = 0

    def read(self, function: Callable[[Any], Any]) -> Any:
        return self._database.read(function)

    def write(self, function: Callable[[Any], Any]) -> Any:
        return self._database.write(function)

    def commit(
        self,
        function: Callable[[Any], Any],
        on_done: Callable[[Any], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self.commits += 1
        fault = self.faults.popleft() if self.faults else ""
        if fault == "":
            self._database.commit(function, on_done, on_failed)
        elif fault == "kept":
            self._database.commit(function, lambda _: on_failed(OutcomeUnknown("kept")), on_failed)
        else:
            error = Unavailable("away") if fault == "away" else OutcomeUnknown("lost")
            Clock(reactor).call_later(0, lambda: on_failed(error))


class Site:
    """A committer, a log and a reader over one database, as one process has them."""

    def __init__(self, database: Database, name: str = "main") -> None:
        self.database = database
        self.name = name
        self.clock = Clock(reactor)
        self.bus = MemoryBus(self.clock)
        self.commits = FailingCommits(database)
        self.holdings = Holdings(FAMILY)
        self.committer = Committer(self.commits, self.bus, [self.holdings])
        self.reader = Reader(database, self.bus, [FAMILY])
        self.committer.register(STORAGE)
        self.reader.register(STORAGE)
        self.log = Log(FAMILY, self.committer, self.bus)

    async def start(self, *, is_first: bool = True) -> "Site":
        """Take all shards, by force, and begin to read."""
        if is_first:
            await self.database.write(prepare)
        self.holdings.held = await self.database.write(
            lambda transaction: self.holdings.take(transaction, range(FAMILY.shards), self.name, is_forced=True)
        )
        await self.reader.start(17)
        return self

    def append(self, shard: int, page: str, *texts: str, **options: Any) -> Any:
        """One append of a note per text; what it answers is to be awaited."""
        return self.log.append(shard, page, [(NOTES, Note(page=page, text=text)) for text in texts], **options)

    async def stored(self) -> list[tuple[int, str]]:
        """(number, text) of all that the database holds."""
        return await self.database.read(lambda txn: txn.all("SELECT number, text FROM notes ORDER BY number"))

    async def counters(self, shard: int) -> tuple[int, int, int]:
        """(epoch, forward, backward) in the database."""
        found = await self.database.write(lambda txn: sql.logs(txn, [(FAMILY.name, shard)]))
        return found[FAMILY.name, shard]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that is under way; the test's own time limit ends a wait in vain."""
        while not condition():
            await self.clock.sleep(0.001)

    async def delivered(self) -> None:
        """The next turns of the reactor."""
        await self.clock.sleep(0)
        await self.clock.sleep(0)
