"""The rewrites of one SQL text for two engines, as text and as both engines understand them."""

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.toolkit.db import Database, Transaction
from synapse_like.toolkit.db.sqltext import (
    arrays_for_postgres,
    for_postgres,
    for_sqlite,
    numbered_for_postgres,
    rows_for_postgres,
    rows_for_sqlite,
)


@pytest.mark.parametrize(
    ("sql", "postgres", "lists"),
    [
        ("SELECT :a, :b_2", "SELECT %(a)s, %(b_2)s", set()),
        ("SELECT x::text", "SELECT x::text", set()),
        ("WHERE a IN :ids AND b = :b", "WHERE a = ANY(%(ids)s) AND b = %(b)s", {"ids"}),
        ("WHERE a NOT IN :ids", "WHERE a <> ALL(%(ids)s)", {"ids"}),
        ("WHERE a IN (1, 2)", "WHERE a IN (1, 2)", set()),
        ("WHERE a LIKE 'x%'", "WHERE a LIKE 'x%%'", set()),
    ],
)
def test_texts_for_postgresql(sql: str, postgres: str, lists: set[str]) -> None:
    text, names = for_postgres(sql)
    assert (text, set(names)) == (postgres, lists)


def test_texts_for_sqlite() -> None:
    text, lists = for_sqlite("WHERE a IN :ids AND b NOT IN :others AND c = :c")
    assert text == (
        "WHERE a IN (SELECT value FROM json_each(:ids)) AND b NOT IN (SELECT value FROM json_each(:others)) AND c = :c"
    )
    assert lists == {"ids", "others"}
    assert rows_for_sqlite("INSERT INTO t (a, b) VALUES :rows", 2, 3) == (
        "INSERT INTO t (a, b) VALUES (?, ?), (?, ?), (?, ?)"
    )


def test_rows_for_postgresql() -> None:
    sql = "INSERT INTO t (a, b) VALUES :rows ON CONFLICT (a) DO UPDATE SET b = 'x%'"
    assert rows_for_postgres(sql, 2, 2) == (
        "INSERT INTO t (a, b) VALUES (%s, %s), (%s, %s) ON CONFLICT (a) DO UPDATE SET b = 'x%%'"
    )
    assert arrays_for_postgres(sql, ("bigint[]", None, "text[]")) == (
        "INSERT INTO t (a, b) SELECT c0, NULL, c2 FROM unnest($1, $2) AS u(c0, c2) "
        "ON CONFLICT (a) DO UPDATE SET b = 'x%'"
    )


def test_parameters_with_numbers() -> None:
    assert numbered_for_postgres("SELECT :b, 'x%' WHERE a IN :ids AND b NOT IN :b AND c = :b") == (
        "SELECT $1, 'x%' WHERE a = ANY($2) AND b <> ALL($1) AND c = $1",
        ("b", "ids"),
        frozenset({"b", "ids"}),
    )
    assert numbered_for_postgres("\n  with a AS (SELECT 1) SELECT * FROM a") is not None
    assert numbered_for_postgres("ALTER TABLE t ADD COLUMN a BIGINT") is None


@given(st.text(alphabet=st.characters(exclude_characters=":%\x00{"), max_size=30))
def test_a_text_without_marks_is_left_alone(text: str) -> None:
    assert for_sqlite(text) == (text, frozenset())
    assert for_postgres(text) == (text, frozenset())


@given(st.lists(st.integers(-5, 5)), st.lists(st.text("ab'\"%:\\é", max_size=3)))
def test_lists_mean_membership_in_sqlite(numbers: list[int], texts: list[str]) -> None:
    found, _ = for_sqlite("SELECT :number IN (SELECT value FROM json_each(:numbers))")
    connection = sqlite3.connect(":memory:")
    for value in range(-5, 6):
        row = connection.execute(found, {"number": value, "numbers": str(numbers)}).fetchone()
        assert bool(row[0]) == (value in numbers)
    connection.close()


async def test_lists_of_numbers_and_texts(database: Database) -> None:
    values = [1, -2, 2**62, 0]
    texts = ["a", "it's", '"', "100%", ":name", "", "\\", "é☃"]

    def fill(txn: Transaction) -> None:
        txn.run("CREATE TABLE t (number BIGINT, words TEXT)")
        txn.rows("INSERT INTO t (number, words) VALUES :rows", [(n, None) for n in values] + [(None, t) for t in texts])

    await database.write(fill)

    def ask(name: str, test: str, asked: Any) -> Any:
        return database.read(lambda txn: txn.all(f"SELECT {name} FROM t WHERE {name} {test} :asked", asked=asked))

    assert {n for (n,) in await ask("number", "IN", [1, 2**62, 7])} == {1, 2**62}
    assert {n for (n,) in await ask("number", "NOT IN", {1, 2**62, 7})} == {-2, 0}
    assert await ask("number", "IN", []) == []
    assert len(await ask("number", "NOT IN", ())) == len(values) + len(texts)
    for text in texts:
        assert await ask("words", "IN", (text,)) == [(text,)]
    assert {t for (t,) in await ask("words", "IN", dict.fromkeys(texts).keys())} == set(texts)
    assert {t for (t,) in await ask("words", "IN", (t for t in texts[:2]))} == set(texts[:2])


async def test_percent_signs_colons_and_braces_are_only_characters(database: Database) -> None:
    def ask(txn: Transaction) -> Any:
        return (
            txn.one("SELECT 'abc' LIKE 'a%'"),
            txn.one("SELECT 'abc' LIKE 'b%' OR :x = '%s'", x="%s"),
            txn.one("SELECT :x", x=":x %(x)s {now_ms}"),
            txn.one("SELECT '50%' || :x", x="%"),
        )

    like, other, text, percent = await database.read(ask)
    assert (bool(like[0]), bool(other[0])) == (True, True)
    assert text == (":x %(x)s {now_ms}",)
    assert percent == ("50%%",)


async def test_the_databases_clock_is_in_milliseconds(database: Database) -> None:
    if database.engine.name == "sqlite":
        row = await database.read(lambda txn: txn.one("SELECT {now_ms}, strftime('%s', 'now') * 1000"))
    else:
        row = await database.read(lambda txn: txn.one("SELECT {now_ms}, extract(epoch FROM now()) * 1000"))
    assert row is not None
    assert isinstance(row[0], int)
    assert abs(row[0] - float(row[1])) < 2000
