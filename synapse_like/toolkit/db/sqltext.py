"""One SQL text for both engines, by a few mechanical rewrites.

* `:name` is a parameter (SQLite's own form; `%(name)s` for psycopg2);
* `IN :names` takes a list of integers or strings;
* `VALUES :rows` takes a list of equal-length tuples;
* `{now_ms}` is the database's clock, in milliseconds since the epoch;
* `{backend_pid}` is the database's process that serves the connection (0 where there is none).

Rewritten texts are kept, as there are only as many as we wrote.
"""

import re
from functools import lru_cache

_IN_LIST = re.compile(r"\bIN :(\w+)")
_NOT_IN_LIST = re.compile(r"\bNOT IN :(\w+)")
_PREPARED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_PARAMETER = re.compile(r"(?<![:\w]):([a-zA-Z_]\w*)")

SQLITE_NOW_MS = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
POSTGRES_NOW_MS = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
_POSTGRES_PID = "pg_backend_pid()"

ROWS = "VALUES :rows"


@lru_cache(maxsize=4096)
def for_sqlite(sql: str) -> tuple[str, frozenset[str]]:
    """The text for SQLite and the names of its list parameters (bound as JSON arrays)."""
    lists = frozenset(_IN_LIST.findall(sql))
    text = _IN_LIST.sub(r"IN (SELECT value FROM json_each(:\1))", sql)
    return _filled(text, SQLITE_NOW_MS, "0"), lists


@lru_cache(maxsize=4096)
def for_postgres(sql: str) -> tuple[str, frozenset[str]]:
    """The text for psycopg2 and the names of its list parameters (arrays)."""
    lists = frozenset(_IN_LIST.findall(sql))
    text = _NOT_IN_LIST.sub(r"<> ALL(:\1)", sql.replace("%", "%%"))
    text = _IN_LIST.sub(r"= ANY(:\1)", text)
    text = _PARAMETER.sub(r"%(\1)s", text)
    return _filled(text, POSTGRES_NOW_MS, _POSTGRES_PID), lists


@lru_cache(maxsize=4096)
def numbered_for_postgres(sql: str) -> tuple[str, tuple[str, ...], frozenset[str]] | None:
    """The text for PREPARE, with `$1` and so on, the names of those parameters, and which of them are lists.

    None for a statement that PostgreSQL does not prepare.
    """
    if not sql.lstrip()[:6].upper().startswith(_PREPARED):
        return None
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    text = _IN_LIST.sub(r"= ANY(:\1)", _NOT_IN_LIST.sub(r"<> ALL(:\1)", sql))
    numbered = _filled(_PARAMETER.sub(number, text), POSTGRES_NOW_MS, _POSTGRES_PID)
    return numbered, tuple(names), frozenset(_IN_LIST.findall(sql))


@lru_cache(maxsize=1024)
def rows_for_sqlite(sql: str, width: int, count: int) -> str:
    """`VALUES :rows` written out as `VALUES (?, ?), (?, ?), ...`."""
    return _filled(sql.replace(ROWS, _values("?", width, count)), SQLITE_NOW_MS, "0")


@lru_cache(maxsize=1024)
def rows_for_postgres(sql: str, width: int, count: int) -> str:
    """The same for psycopg2."""
    return _filled(sql.replace("%", "%%").replace(ROWS, _values("%s", width, count)), POSTGRES_NOW_MS, _POSTGRES_PID)


@lru_cache(maxsize=1024)
def arrays_for_postgres(sql: str, types: tuple[str | None, ...]) -> str:
    """`VALUES :rows` as a query over arrays `$1`, `$2` ... of these types, one a column; None is a column of NULLs."""
    names = [f"c{at}" for at, each in enumerate(types) if each is not None]
    columns = ", ".join("NULL" if each is None else f"c{at}" for at, each in enumerate(types))
    arrays = ", ".join(f"${at}" for at in range(1, len(names) + 1))
    rows = f"SELECT {columns} FROM unnest({arrays}) AS u({', '.join(names)})"
    return _filled(sql.replace(ROWS, rows), POSTGRES_NOW_MS, _POSTGRES_PID)


def _values(mark: str, width: int, count: int) -> str:
    one = "(" + ", ".join([mark] * width) + ")"
    return "VALUES " + ", ".join([one] * count)


def _filled(text: str, now_ms: str, backend_pid: str) -> str:
    return text.replace("{now_ms}", now_ms).replace("{backend_pid}", backend_pid)
