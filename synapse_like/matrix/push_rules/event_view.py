"""An event as push rules see it, read once for all members.

Here: the properties that conditions name, folded text, words and mentions, each worked out at most once. Not here: the
conditions. Case is ignored by folding with `fold`, and nothing else: every comparison in this package goes through it.
"""

import re
from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.events import Event
from synapse_like.matrix.property_paths import Path, value_at

BODY: Path = ("content", "body")
MENTIONED_USERS: Path = ("content", "m.mentions", "user_ids")

_WORD = re.compile(r"[a-z0-9_]+")


def fold(text: str) -> str:
    """Bring a text to the form in which "case-insensitive" texts are compared."""
    return text.lower()


def words_of(folded_text: str) -> frozenset[str]:
    """Return the runs of ASCII letters, digits and underscores: what push rules call words."""
    return frozenset(_WORD.findall(folded_text))


class EventView:
    """The properties of one event, by path."""

    __slots__ = ("_elements", "_folded", "_properties", "_values", "_words")

    def __init__(self, event: Event) -> None:
        properties: dict[str, Any] = {
            "type": event.type,
            "sender": event.sender,
            "room_id": event.room_id,
            "event_id": event.event_id,
            "origin_server_ts": event.origin_server_ts,
            "content": event.content,
        }
        if event.state_key is not None:
            properties["state_key"] = event.state_key
        if event.redacts is not None:
            properties["redacts"] = event.redacts
        self._properties: Mapping[str, Any] = properties
        self._values: dict[Path, Any] = {}
        self._folded: dict[Path, str | None] = {}
        self._elements: dict[Path, frozenset[str | int | bool | None]] = {}
        self._words: frozenset[str] | None = None

    @property
    def sender(self) -> str:
        """The user who sent the event."""
        return str(self._properties["sender"])

    def value(self, path: Path) -> Any:
        """Return the JSON value at `path`, or `MISSING`."""
        value = self._values.get(path, self)
        if value is self:
            value = self._values[path] = value_at(self._properties, path)
        return value

    def folded(self, path: Path) -> str | None:
        """Return the text at `path` folded, or None where no text is."""
        try:
            return self._folded[path]
        except KeyError:
            value = self.value(path)
            folded = self._folded[path] = fold(value) if isinstance(value, str) else None
            return folded

    def elements(self, path: Path) -> frozenset[str | int | bool | None]:
        """Return the scalars of the array at `path`; empty where no array is.

        Python holds 1 and True for the same element; who asks for either has to look into the array itself.
        """
        try:
            return self._elements[path]
        except KeyError:
            value = self.value(path)
            scalars = [v for v in value if v is None or isinstance(v, str | int)] if isinstance(value, list) else ()
            elements = self._elements[path] = frozenset(scalars)
            return elements

    @property
    def words(self) -> frozenset[str]:
        """The words of the folded body."""
        if self._words is None:
            self._words = words_of(self.folded(BODY) or "")
        return self._words
