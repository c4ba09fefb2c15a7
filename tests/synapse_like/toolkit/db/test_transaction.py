"""What a transaction may count on, the same on both engines."""

import threading
from functools import partial
from typing import Any

import pytest

from synapse_like.toolkit.db import Database, DatabaseError, IntegrityViolated, Transaction, Unstorable


def _run(statement: str, txn: Transaction) -> int:
    return txn.run(statement)


@pytest.fixture
async def table(database: Database) -> Database:
    await database.write(
        lambda txn: txn.run("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT UNIQUE, weight DOUBLE PRECISION)")
    )
    return database


async def _names(database: Database) -> list[Any]:
    return [name for (name,) in await database.read(lambda txn: txn.all("SELECT name FROM t ORDER BY id"))]


async def test_statements_say_how_many_rows_they_touched(table: Database) -> None:
    def use(txn: Transaction) -> list[Any]:
        rows = [(n, f"n{n}", n / 2) for n in range(10)]
        return [
            txn.rows("INSERT INTO t (id, name, weight) VALUES :rows", rows),
            txn.run("UPDATE t SET weight = 0 WHERE id < :n", n=4),
            txn.run("UPDATE t SET weight = 0 WHERE id > 100"),
            txn.rows("INSERT INTO t (id, name) VALUES :rows ON CONFLICT (id) DO NOTHING", [(9, "x"), (10, "n10")]),
            txn.run("DELETE FROM t WHERE id IN :ids", ids=[1, 2, 99]),
            txn.rows("INSERT INTO t (id) VALUES :rows", []),
            txn.run("DELETE FROM t"),
        ]

    assert await table.write(use) == [10, 4, 0, 1, 2, 0, 9]


async def test_queries_give_rows_one_or_none(table: Database) -> None:
    def use(txn: Transaction) -> list[Any]:
        txn.rows("INSERT INTO t (id, name) VALUES :rows", [(1, "a"), (2, None)])
        return [
            txn.all("SELECT id, name FROM t ORDER BY id"),
            txn.all("SELECT id FROM t WHERE id = 7"),
            txn.one("SELECT name FROM t WHERE id = :id", id=2),
            txn.one("SELECT name FROM t WHERE id = 7"),
            txn.query_rows("WITH a (x) AS (VALUES :rows) SELECT t.name FROM a JOIN t ON t.id = a.x", [(1,), (7,)]),
            txn.query_rows("WITH a (x) AS (VALUES :rows) SELECT x FROM a", []),
        ]

    assert await table.write(use) == [[(1, "a"), (2, None)], [], (None,), None, [("a",)], []]


async def test_many_rows_in_one_call(table: Database) -> None:
    """More than one statement's worth on either engine."""
    rows = [(n, f"n{n}", float(n)) for n in range(11_000)]

    def use(txn: Transaction) -> tuple[int, int, list[Any]]:
        stored = txn.rows("INSERT INTO t (id, name, weight) VALUES :rows", rows)
        moved = txn.rows(
            "WITH v (id, weight) AS (VALUES :rows) UPDATE t SET weight = v.weight FROM v WHERE t.id = v.id",
            [(n, -1.0) for n in range(20_000)],
        )
        found = txn.query_rows(
            "WITH v (id) AS (VALUES :rows) SELECT t.id FROM v JOIN t ON t.id = v.id",
            [(n,) for n in range(5_000, 40_000)],
        )
        return stored, moved, sorted(found)

    stored, moved, found = await table.write(use)
    assert (stored, moved) == (11_000, 11_000)
    assert found == [(n,) for n in range(5_000, 11_000)]


async def test_values_come_back_as_they_went_in(table: Database) -> None:
    texts = ["", "é☃𝄞", 'it\'s "quoted" \\ %s :x', "line\nline", "\x01"]
    numbers = [0, -1, 2**63 - 1, -(2**63), 2**31, 5]

    def use(txn: Transaction) -> None:
        for number, text in zip(numbers, [*texts, None], strict=True):
            txn.run("INSERT INTO t (id, name, weight) VALUES (:id, :name, 0.5)", id=number, name=text)

    await table.write(use)
    rows = await table.read(lambda txn: txn.all("SELECT id, name, weight FROM t"))
    assert {number: text for number, text, _ in rows} == dict(zip(numbers, [*texts, None], strict=True))
    assert {weight for _, _, weight in rows} == {0.5}


_ODD_TEXTS = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{}",
    "{a,b}",
    ",",
    " x ",
    "é☃𝄞",
    "it's",
    "%s",
    "\n\r\t",
    "\x01",
    "E'x'",
    ":rows",
]
_ODD_NUMBERS = [0, -1, 2**63 - 1, -(2**63), *range(1, 14)]
_ODD_WEIGHTS = [0.0, -0.5, 1e300, 5e-324, 0.1, *map(float, range(12))]


@pytest.mark.parametrize("nulls", ["none", "some", "all"])
async def test_values_of_many_rows_come_back_as_they_went_in(table: Database, nulls: str) -> None:
    rows: list[tuple[Any, ...]] = list(zip(_ODD_NUMBERS, _ODD_TEXTS, _ODD_WEIGHTS, strict=True))
    if nulls != "none":
        rows += [(100 + number, None, None) for number in range(3)]
    if nulls == "all":
        rows = [(number, None, None) for number, _, _ in rows]

    def use(txn: Transaction) -> tuple[int, list[Any]]:
        stored = txn.rows("INSERT INTO t (id, name, weight) VALUES :rows", rows)
        asked = txn.query_rows("WITH v (id, name) AS (VALUES :rows) SELECT id, name FROM v", [row[:2] for row in rows])
        return stored, asked

    stored, asked = await table.write(use)
    assert stored == len(rows)
    assert asked == [row[:2] for row in rows], "in order too"
    found = await table.read(lambda txn: txn.all("SELECT id, name, weight FROM t"))
    assert set(found) == set(rows)


async def test_what_is_put_is_there_for_the_next_statement(table: Database) -> None:
    def use(txn: Transaction) -> list[Any]:
        txn.put("INSERT INTO t (id, name) VALUES :rows", [(1, "a"), (2, "b")])
        txn.put("INSERT INTO t (id, name) VALUES :rows", [])
        txn.put("WITH v (id) AS (VALUES :rows) UPDATE t SET name = 'c' FROM v WHERE t.id = v.id", [(2,)])
        found = txn.all("SELECT id, name FROM t ORDER BY id")
        txn.put("INSERT INTO t (id, name) VALUES :rows", [(number, f"n{number}") for number in range(10, 3000)])
        return found

    assert await table.write(use) == [(1, "a"), (2, "c")]
    assert len(await _names(table)) == 2992


async def test_what_is_put_alone_is_kept(table: Database) -> None:
    await table.write(lambda txn: txn.put("INSERT INTO t (id, name) VALUES :rows", [(1, "100%"), (2, None)]))
    assert await _names(table) == ["100%", None]


@pytest.mark.parametrize("is_last", [True, False])
async def test_what_is_put_and_refused_leaves_nothing_behind(table: Database, is_last: bool) -> None:
    await table.write(lambda txn: txn.rows("INSERT INTO t (id, name) VALUES :rows", [(1, "a")]))

    def use(txn: Transaction) -> None:
        txn.rows("INSERT INTO t (id, name) VALUES :rows", [(2, "b")])
        txn.put("INSERT INTO t (id, name) VALUES :rows", [(3, "c"), (1, "d")])
        if not is_last:
            txn.all("SELECT id FROM t")

    with pytest.raises(IntegrityViolated):
        await table.write(use)
    assert await _names(table) == ["a"]
    await table.write(lambda txn: txn.put("INSERT INTO t (id, name) VALUES :rows", [(2, "e")]))
    assert await _names(table) == ["a", "e"]


async def test_a_column_may_hold_values_of_several_kinds(table: Database) -> None:
    rows = [(number, f"n{number}", 0.5 if number % 2 else number) for number in range(20)]
    assert await table.write(lambda txn: txn.rows("INSERT INTO t (id, name, weight) VALUES :rows", rows)) == 20
    assert set(await table.read(lambda txn: txn.all("SELECT id, name, weight FROM t"))) == set(rows)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "\ud800"])
async def test_values_without_a_form_are_refused(table: Database, value: Any) -> None:
    column = "name" if isinstance(value, str) else "id"
    for use in (
        lambda txn: txn.run(f"INSERT INTO t ({column}) VALUES (:value)", value=value),
        lambda txn: txn.rows(f"INSERT INTO t ({column}) VALUES :rows", [(value,)]),
        lambda txn: txn.rows(f"INSERT INTO t ({column}) VALUES :rows", [(value,)] * 20),
    ):
        with pytest.raises(Unstorable):
            await table.write(use)
    assert await _names(table) == []


@pytest.mark.parametrize("count", [1, 20])
async def test_nul_is_refused_by_postgresql_alone(table: Database, count: int) -> None:
    """The only difference in values; who takes text from outside has refused NUL before it comes here."""
    rows = [(number, f"a\x00{number}") for number in range(count)]
    store = table.write(lambda txn: txn.rows("INSERT INTO t (id, name) VALUES :rows", rows))
    if table.engine.name == "postgresql":
        with pytest.raises(Unstorable):
            await store
    else:
        await store
        assert await _names(table) == [name for _, name in rows]


async def test_what_raises_leaves_nothing_behind(table: Database) -> None:
    class Refused(Exception):
        pass

    def use(txn: Transaction) -> None:
        txn.run("INSERT INTO t (id) VALUES (1)")
        raise Refused

    with pytest.raises(Refused):
        await table.write(use)
    assert await _names(table) == []


async def test_a_violated_key_is_told_apart(table: Database) -> None:
    await table.write(lambda txn: txn.run("INSERT INTO t (id, name) VALUES (1, 'a')"))
    for statement in ("INSERT INTO t (id, name) VALUES (1, 'b')", "INSERT INTO t (id, name) VALUES (2, 'a')"):
        with pytest.raises(IntegrityViolated):
            await table.write(partial(_run, statement))
    with pytest.raises(DatabaseError) as raised:
        await table.write(lambda txn: txn.run("SELECT nonsense FROM t"))
    assert not isinstance(raised.value, IntegrityViolated)
    assert "nonsense" in str(raised.value)


@pytest.mark.parametrize("is_rows", [True, False])
async def test_a_failure_that_was_swallowed_keeps_nothing(table: Database, is_rows: bool) -> None:
    def use(txn: Transaction) -> None:
        txn.run("INSERT INTO t (id) VALUES (1)")
        with pytest.raises(IntegrityViolated):
            if is_rows:
                txn.rows("INSERT INTO t (id) VALUES :rows", [(1,)])
            else:
                txn.run("INSERT INTO t (id) VALUES (1)")

    with pytest.raises(DatabaseError, match="nothing of it is kept"):
        await table.write(use)
    assert await _names(table) == []
    await table.write(lambda txn: txn.run("INSERT INTO t (id, name) VALUES (1, 'after')"))
    assert await _names(table) == ["after"]


async def test_a_refused_value_first_and_swallowed_keeps_nothing(table: Database) -> None:
    """Nothing has reached the server yet when the value is refused: what follows must not run outside a transaction."""

    def use(txn: Transaction) -> None:
        with pytest.raises(Unstorable):
            txn.run("INSERT INTO t (id, name) VALUES (1, :name)", name="\ud800")
        txn.run("INSERT INTO t (id) VALUES (2)")

    with pytest.raises(DatabaseError):
        await table.write(use)
    assert await _names(table) == []


async def test_a_reader_cannot_write(table: Database) -> None:
    with pytest.raises(DatabaseError):
        await table.read(lambda txn: txn.run("INSERT INTO t (id, name) VALUES (1, 'a')"))
    assert await _names(table) == []


async def test_a_read_is_one_snapshot(table: Database) -> None:
    """Two statements of one read see the same, although a write commits between them."""
    await table.write(lambda txn: txn.run("INSERT INTO t (id, name) VALUES (1, 'a')"))
    entered, changed = threading.Event(), threading.Event()

    def read(txn: Transaction) -> tuple[Any, Any]:
        before = txn.all("SELECT name FROM t")
        entered.set()
        assert changed.wait(30)
        return before, txn.all("SELECT name FROM t")

    reading = table.read(read)
    assert entered.wait(30)
    await table.write(lambda txn: txn.run("UPDATE t SET name = 'b'"))
    changed.set()
    before, after = await reading
    assert before == after == [("a",)]
    assert await _names(table) == ["b"]


async def test_an_empty_transaction_is_fine(table: Database) -> None:
    assert await table.read(lambda txn: 5) == 5
    assert await table.write(lambda txn: txn.rows("INSERT INTO t (id) VALUES :rows", [])) == 0


async def test_observers_hear_the_text_as_it_was_written(table: Database) -> None:
    heard: list[str] = []
    table.observers.append(heard.append)
    await table.read(lambda txn: (txn.one("SELECT :x", x=1), txn.all("SELECT 2")))
    await table.write(lambda txn: txn.rows("INSERT INTO t (id) VALUES :rows", [(1,), (2,)]))
    assert heard == ["SELECT :x", "SELECT 2", "INSERT INTO t (id) VALUES :rows"]


async def test_transactions_name_their_engine(table: Database) -> None:
    assert await table.read(lambda txn: txn.engine_name) == table.engine.name
