"""Rows as arrays of PostgreSQL, one a column: many rows travel as a few values, which nobody has to parse as SQL.

Source: PostgreSQL, "Arrays", "Array Input and Output Syntax".
"""

from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

Columns = tuple[tuple[str | None, ...], list[str]]
"""The type of each column's array, None where all is NULL, and the texts of those that have a type."""


def columns_of(rows: Sequence[Sequence[Any]]) -> Columns | None:
    """The columns of rows; None if one of them is not of strings, integers or floats alone, or if all is NULL.

    Raises ValueError for a string that PostgreSQL cannot hold.
    """
    types: list[str | None] = []
    texts = []
    for column in zip(*rows, strict=True):
        kinds = set(map(type, column))
        has_null = NoneType in kinds
        kinds.discard(NoneType)
        if not kinds:
            types.append(None)
            continue
        form = _FORMS.get(kinds.pop()) if len(kinds) == 1 else None
        if form is None:
            return None
        name, write = form
        types.append(name)
        texts.append(_with_null(column, write) if has_null else "{" + write(column) + "}")
    return (tuple(types), texts) if texts else None


def _with_null(column: Sequence[Any], write: Callable[[Sequence[Any]], str]) -> str:
    return "{" + ",".join("NULL" if value is None else write((value,)) for value in column) + "}"


def _strings(values: Sequence[str]) -> str:
    text = "\0".join(values)
    if text.count("\0") >= len(values):
        raise ValueError("A string holds a NUL character")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","') + '"'


def _numbers(values: Sequence[float]) -> str:
    return ",".join(map(repr, values))


_FORMS: dict[type, tuple[str, Callable[[Sequence[Any]], str]]] = {
    str: ("text[]", _strings),
    int: ("bigint[]", _numbers),
    float: ("double precision[]", _numbers),
}
