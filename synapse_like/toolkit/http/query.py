"""The query string of a request, and reading typed values out of it."""

from collections.abc import Collection, Iterator
from typing import TypeVar
from urllib.parse import unquote_to_bytes

from synapse_like.matrix.errors import InvalidParam, MissingParam

_T = TypeVar("_T")
_TRUE = frozenset(("true", "1"))
_FALSE = frozenset(("false", "0"))


class Query:
    """Fields of a query string. Every reading method names the field in the error that it raises.

    A field that is absent gives the default; without a default it is a MissingParam.
    """

    __slots__ = ("_fields",)

    def __init__(self, text: str = "") -> None:
        """Take the raw query string, without its question mark.

        Raises InvalidParam if it is not UTF-8 once decoded, or contains NUL.
        """
        self._fields: list[tuple[str, str]] = []
        for part in text.split("&") if text else ():
            name, _, value = part.partition("=")
            if part:
                self._fields.append((decode_component(name, plus=True), decode_component(value, plus=True)))

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a field, or the default."""
        for known, value in self._fields:
            if known == name:
                return value
        return default

    def getall(self, name: str) -> list[str]:
        """Return every value of a field that may be repeated."""
        return [value for known, value in self._fields if known == name]

    def string(self, name: str, default: str | None = None) -> str:
        """Return a field that must be there (or have a default)."""
        value = self.get(name, default)
        if value is None:
            raise MissingParam(f"Missing query parameter {name!r}")
        return value

    def integer(
        self, name: str, default: int | None = None, minimum: int | None = None, maximum: int | None = None
    ) -> int:
        """Return a field as an integer.

        Below the minimum is an InvalidParam; above the maximum it is cut to the maximum, as limits are.
        """
        text = self.get(name)
        if text is None:
            return _needed(name, default)
        if len(text) > 20 or not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
            raise InvalidParam(f"Query parameter {name!r} must be an integer")
        value = int(text)
        if minimum is not None and value < minimum:
            raise InvalidParam(f"Query parameter {name!r} must be at least {minimum}")
        return value if maximum is None else min(value, maximum)

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """Return a field as a boolean: ``true`` or ``false`` (``1`` and ``0`` from older clients)."""
        text = self.get(name)
        if text is None:
            return _needed(name, default)
        if text not in _TRUE and text not in _FALSE:
            raise InvalidParam(f"Query parameter {name!r} must be one of ['true', 'false']")
        return text in _TRUE

    def choice(self, name: str, choices: Collection[str], default: str | None = None) -> str:
        """Return a field that is one of a few words."""
        text = self.get(name)
        if text is None:
            return _needed(name, default)
        if text not in choices:
            raise InvalidParam(f"Query parameter {name!r} must be one of {sorted(choices)}")
        return text

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)


def _needed(name: str, default: _T | None) -> _T:
    if default is None:
        raise MissingParam(f"Missing query parameter {name!r}")
    return default


def decode_component(text: str, *, plus: bool = False) -> str:
    """Undo percent-encoding; ``plus`` also turns plus signs into spaces, as in queries.

    Raises InvalidParam if the result is not UTF-8, or contains NUL (which no identifier may, and no database takes).
    """
    if plus and "+" in text:
        text = text.replace("+", " ")
    if "%" in text:
        try:
            text = unquote_to_bytes(text).decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidParam("The address is not valid UTF-8") from None
    if "\x00" in text:
        raise InvalidParam("The address contains a NUL character")
    return text
