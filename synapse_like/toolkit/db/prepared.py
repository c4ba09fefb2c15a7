"""The statements that one PostgreSQL session has prepared: read and planned once, and then only executed.

Planning is half or more of what a short statement costs PostgreSQL. The types of parameters are said, since what
PostgreSQL would guess of a number (integer) does not hold all of ours; so a text has a plan for each combination of
types. A prepared statement outlives its transaction, but one that fails may or may not have been prepared before: then
nobody can tell what the session holds, and `is_sound` is false until it is closed.
Source: PostgreSQL, "PREPARE", "EXECUTE".
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

LIMIT: Final = 256
"""So many plans, of 10 to 50 KiB each in PostgreSQL, a session keeps."""

_TYPES: Final[dict[type, str]] = {
    bool: "boolean",
    bytes: "bytea",
    float: "double precision",
    int: "bigint",
    str: "text",
    type(None): "unknown",
}
Written = Callable[[str, Sequence[Any]], bytes]
"""Puts values into a text, where it says `%s`."""


class Prepared:
    """The prepared statements of a session, by text and types."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._calls: OrderedDict[tuple[str, tuple[str, ...]], str] = OrderedDict()
        self._count = 0
        self._has_new = False
        self.is_sound = True

    def call(self, text: str, types: tuple[str, ...], values: Sequence[Any], written: Written) -> bytes:
        """What executes a text with `$1`, `$2` ...: a call, after what prepares it if the session does not hold it."""
        known = self._calls.get((text, types))
        if known is not None:
            self._calls.move_to_end((text, types))
            return written(known, values)
        self._count += 1
        name = f"s{self._count}"
        call = f"EXECUTE {name} ({', '.join(['%s'] * len(values))})" if values else f"EXECUTE {name}"
        execution = written(call, values)
        self._calls[text, types] = call
        self._has_new = True
        dropped = ""
        if len(self._calls) > self._limit:
            _, oldest = self._calls.popitem(last=False)
            dropped = f"DEALLOCATE {oldest.split()[1]}; "
        declared = f" ({', '.join(types)})" if types else ""
        return f"{dropped}PREPARE {name}{declared} AS {text}; ".encode() + execution

    def succeeded(self) -> None:
        """What was handed out has been executed."""
        self._has_new = False

    def failed(self) -> None:
        """What was handed out has failed, or may have."""
        self.is_sound = self.is_sound and not self._has_new


def type_of(value: Any) -> str:
    """The type that a value is declared with; what an empty list holds PostgreSQL finds out."""
    if isinstance(value, list):
        return f"{_TYPES[type(value[0])]}[]" if value else "unknown"
    return _TYPES.get(type(value), "unknown")
