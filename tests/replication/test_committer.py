"""Group commit, the fence and the reader, on both databases, with a stream of notes."""

from collections.abc import Iterator, Sequence

import pytest
from twisted.internet import reactor

from replication import sql
from replication.bus import Frame, MemoryBus
from replication.committer import Committer, Dropped
from replication.log import Log
from replication.numbers import counter_of, pack
from replication.ports import Transaction
from replication.reader import Reader
from replication.shards import FenceBroken, Holdings, NotOwned
from replication.streams import Fact, Family, Storage, Stream
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database, IntegrityViolated, migrate, migrations_in

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


class Site:
    """A committer, a log and a reader over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock(reactor)
        self.bus = MemoryBus(self.clock)
        self.holdings = Holdings(FAMILY)
        self.committer = Committer(database, self.bus, [self.holdings])
        self.reader = Reader(database, self.bus, [FAMILY])
        storage = Storage(NOTES, store, load)
        self.committer.register(storage)
        self.reader.register(storage)
        self.log = Log(FAMILY, self.committer, self.bus)

    async def start(self, owner: str = "main", *, is_first: bool = True) -> None:
        def prepare(transaction: Transaction) -> None:
            if is_first:
                migrate(transaction, self.database.engine.name, migrations_in("replication"))
                transaction.run("CREATE TABLE notes (number BIGINT PRIMARY KEY, page TEXT NOT NULL, text TEXT UNIQUE)")
                sql.create_shards(transaction, FAMILY.name, FAMILY.shards)

        await self.database.write(prepare)
        self.holdings.held = await self.database.write(
            lambda transaction: self.holdings.take(transaction, range(4), owner, is_forced=True)
        )
        await self.reader.start(17)

    async def note(self, shard: int, page: str, text: str) -> Note:
        fact = Note(page=page, text=text)
        await self.log.append(shard, page, [(NOTES, fact)])
        return fact

    async def delivered(self) -> None:
        """The next turns of the reactor."""
        await self.clock.sleep(0)
        await self.clock.sleep(0)


@pytest.fixture
def site(database: Database) -> Iterator[Site]:
    yield Site(database)


async def test_numbers_follow_on_within_a_shard(site: Site) -> None:
    await site.start()
    waiters = [site.log.append(1, "p", [(NOTES, Note(page="p", text=str(index)))]) for index in range(20)]
    for waiter in waiters:
        await waiter
    await site.delivered()
    facts = site.reader.recent(NOTES).since("p", pack(1, 0))
    assert facts is not None
    assert [counter_of(fact.number) for fact in facts] == list(range(1, 21))
    assert [fact.text for fact in facts] == [str(index) for index in range(20)]
    assert site.reader.positions["page"] == (0, 20, 0, 0)
    assert site.committer.batches < 20


async def test_a_batch_fails_apart(site: Site) -> None:
    await site.start()
    await site.note(0, "first", "same")
    bad = site.log.append(0, "bad", [(NOTES, Note(page="bad", text="same"))])
    others = [
        site.log.append(shard, f"p{shard}", [(NOTES, Note(page=f"p{shard}", text=f"{shard}"))]) for shard in range(4)
    ]
    for other in others:
        await other
    with pytest.raises(IntegrityViolated):
        await bad
    rows = await site.database.read(lambda txn: txn.all("SELECT number FROM notes ORDER BY number"))
    assert [number for (number,) in rows] == [pack(0, 1), pack(0, 2), pack(1, 1), pack(2, 1), pack(3, 1)]


async def test_an_old_owner_can_store_nothing(site: Site) -> None:
    await site.start()
    await site.note(2, "p", "mine")
    new = Site(site.database)
    await new.start("other", is_first=False)
    with pytest.raises(FenceBroken):
        await site.note(2, "p", "late")
    with pytest.raises(NotOwned):
        await site.note(2, "p", "later")
    await new.note(2, "p", "theirs")
    rows = await site.database.read(lambda txn: txn.all("SELECT text FROM notes ORDER BY number"))
    assert rows == [("mine",), ("theirs",)]


async def test_a_reader_fills_its_gaps(site: Site) -> None:
    await site.start()
    other = Site(site.database)
    heard: list[str] = []
    other.reader.subscribe(NOTES, lambda notes: heard.extend(note.text for note in notes))
    await other.reader.start(17)
    for index in range(3):
        await site.note(3, "p", f"{index}")
    last = Note(page="p", text="2", number=pack(3, 3))
    other.bus.publish(Frame("page", 3, 1, 3, 3, (("notes", last),)))
    while other.reader.positions["page"][3] < 3:
        await site.clock.sleep(0.001)
    assert heard == ["0", "1", "2"]
    assert other.reader.gaps == 1


async def test_what_was_built_on_something_dropped_is_not_stored(site: Site) -> None:
    await site.start()
    heads = ["kept"]
    first = site.log.append(0, "p", [(NOTES, Note(page="p", text="a"))])
    second = site.log.append(0, "p", [(NOTES, Note(page="p", text="b"))], is_current=lambda: bool(heads))
    heads.clear()
    await first
    with pytest.raises(Dropped):
        await second
    assert await site.database.read(lambda txn: txn.all("SELECT text FROM notes")) == [("a",)]
