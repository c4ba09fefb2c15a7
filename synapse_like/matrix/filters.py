"""Filters: what a client wants to be sent of what it could be sent.

Here: reading a filter strictly and asking it about types, senders, rooms and events; taking single fields out of an
event. Not here: the sections that obey it, and relations (`related_by_*`), which only the database can tell.
Source: Client-Server API, "Filtering"; MSC3440 for `related_by_senders` and `related_by_rel_types`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from synapse_like.matrix.errors import BadJson, InvalidParam, TooLarge
from synapse_like.matrix.events import Event
from synapse_like.matrix.globs import TextMatcher, match_whole
from synapse_like.matrix.property_paths import MISSING, Path, split_path, value_at

MAX_ENTRIES = 1024
"""The most entries of any list in a filter."""
MAX_ENTRY_CHARACTERS = 1024
MAX_LIMIT = 2**31 - 1

Json = Mapping[str, Any]
Allowed = TypeVar("Allowed")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events of a section are wanted. None is "not said"; an empty list of wanted things wants nothing.

    `limit` is the most events that are wanted, 0 and more; the default and a maximum are up to the section.
    """

    limit: int | None = None
    types: tuple[str, ...] | None = None
    not_types: tuple[str, ...] = ()
    senders: frozenset[str] | None = None
    not_senders: frozenset[str] = frozenset()
    _wanted_type: TextMatcher | None = field(default=None, compare=False, repr=False)
    _unwanted_type: TextMatcher | None = field(default=None, compare=False, repr=False)

    @classmethod
    def parse(cls, json: object, where: str = "filter") -> EventFilter:
        """Read the JSON of a filter; `where` names it in errors. Raises BadJson, InvalidParam or TooLarge."""
        return cls(**_event_parts(_Reader(json, where)))

    @property
    def is_everything(self) -> bool:
        """Whether no event is refused, whatever the limit."""
        return self.types is None and self.senders is None and not self.not_types and not self.not_senders

    @property
    def is_nothing(self) -> bool:
        """Whether no event can be allowed: then a section need not look."""
        return self.limit == 0 or _is_empty(self.types) or _is_empty(self.senders)

    def allows_type(self, event_type: str) -> bool:
        """Whether events of a type are wanted, as far as that goes."""
        if self._unwanted_type is not None and self._unwanted_type(event_type):
            return False
        return self._wanted_type is None or self._wanted_type(event_type)

    def allows_sender(self, user_id: str) -> bool:
        """Whether events of a sender are wanted, as far as that goes."""
        return user_id not in self.not_senders and (self.senders is None or user_id in self.senders)


@dataclass(frozen=True, slots=True)
class RoomEventFilter(EventFilter):
    """Which events of rooms are wanted. `related_by_senders` and `related_by_rel_types` are not asked by `allows`."""

    rooms: frozenset[str] | None = None
    not_rooms: frozenset[str] = frozenset()
    contains_url: bool | None = None
    lazy_load_members: bool = False
    include_redundant_members: bool = False
    unread_thread_notifications: bool = False
    related_by_senders: frozenset[str] | None = None
    related_by_rel_types: frozenset[str] | None = None

    @classmethod
    def parse(cls, json: object, where: str = "filter") -> RoomEventFilter:
        """Read the JSON of a filter; `where` names it in errors. Raises BadJson, InvalidParam or TooLarge."""
        reader = _Reader(json, where)
        return cls(
            **_event_parts(reader),
            rooms=reader.ids("rooms", "!"),
            not_rooms=reader.ids("not_rooms", "!") or frozenset(),
            contains_url=reader.flag("contains_url"),
            lazy_load_members=reader.flag("lazy_load_members") or False,
            include_redundant_members=reader.flag("include_redundant_members") or False,
            unread_thread_notifications=reader.flag("unread_thread_notifications") or False,
            related_by_senders=reader.ids("related_by_senders", "@"),
            related_by_rel_types=_frozen(reader.texts("related_by_rel_types")),
        )

    @property
    def is_everything(self) -> bool:
        """Whether no event is refused, whatever the limit."""
        wanted = (self.types, self.senders, self.rooms, self.contains_url)
        unwanted = self.not_types or self.not_senders or self.not_rooms
        return all(part is None for part in wanted) and not unwanted and not self.asks_for_relations

    @property
    def is_nothing(self) -> bool:
        """Whether no event can be allowed: then a section need not look."""
        return self.limit == 0 or any(map(_is_empty, (self.types, self.senders, self.rooms)))

    @property
    def asks_for_relations(self) -> bool:
        """Whether only events with certain relations are wanted, which `allows` cannot tell."""
        return self.related_by_senders is not None or self.related_by_rel_types is not None

    def allows_room(self, room_id: str) -> bool:
        """Whether events of a room are wanted, as far as that goes."""
        return room_id not in self.not_rooms and (self.rooms is None or room_id in self.rooms)

    def allows(self, event: Event) -> bool:
        """Whether an event is wanted, as far as the event itself can tell."""
        if self.contains_url is not None and self.contains_url != ("url" in event.content):
            return False
        return self.allows_type(event.type) and self.allows_sender(event.sender) and self.allows_room(event.room_id)


@dataclass(frozen=True, slots=True)
class RoomFilter:
    """Which rooms are wanted, and what of them."""

    rooms: frozenset[str] | None
    not_rooms: frozenset[str]
    include_leave: bool
    state: RoomEventFilter
    timeline: RoomEventFilter
    ephemeral: RoomEventFilter
    account_data: RoomEventFilter

    @classmethod
    def parse(cls, json: object, where: str = "room") -> RoomFilter:
        """Read the `room` part of a filter. Raises BadJson, InvalidParam or TooLarge."""
        reader = _Reader(json, where)
        return cls(
            reader.ids("rooms", "!"),
            reader.ids("not_rooms", "!") or frozenset(),
            reader.flag("include_leave") or False,
            reader.part("state", RoomEventFilter.parse),
            reader.part("timeline", RoomEventFilter.parse),
            reader.part("ephemeral", RoomEventFilter.parse),
            reader.part("account_data", RoomEventFilter.parse),
        )

    def allows_room(self, room_id: str) -> bool:
        """Whether a room is wanted at all."""
        return room_id not in self.not_rooms and (self.rooms is None or room_id in self.rooms)


@dataclass(frozen=True, slots=True)
class Filter:
    """A whole filter, as a client stores it or sends it with `/sync`.

    `json` is what the client sent, keys that we do not know included. `event_fields` are paths, None for all fields.
    """

    json: Json
    event_fields: tuple[Path, ...] | None
    has_federation_format: bool
    presence: EventFilter
    account_data: EventFilter
    room: RoomFilter

    @classmethod
    def parse(cls, json: object) -> Filter:
        """Read a filter. Raises BadJson for a wrong shape, InvalidParam for a wrong value, TooLarge for long lists."""
        reader = _Reader(json, "")
        event_fields = reader.texts("event_fields")
        return cls(
            reader.json,
            None if event_fields is None else tuple(map(split_path, event_fields)),
            reader.choice("event_format", ("client", "federation")) == "federation",
            reader.part("presence", EventFilter.parse),
            reader.part("account_data", EventFilter.parse),
            reader.part("room", RoomFilter.parse),
        )


def select_fields(event: Json, fields: Collection[Path]) -> dict[str, Any]:
    """Return the parts of an event's JSON that `event_fields` asks for; paths that lead nowhere are passed over."""
    chosen: set[Path] = set()
    selected: dict[str, Any] = {}
    for path in sorted(fields, key=len):
        value = value_at(event, path)
        if value is MISSING or any(path[:length] in chosen for length in range(1, len(path) + 1)):
            continue
        chosen.add(path)
        place = selected
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
    return selected


class _Reader:
    """Takes typed parts out of one JSON object of a filter and names the place in errors."""

    __slots__ = ("_where", "json")

    def __init__(self, json: object, where: str) -> None:
        if not isinstance(json, dict):
            raise BadJson(f"'{where or 'filter'}' must be an object")
        self.json: Json = json
        self._where = where

    def name(self, key: str) -> str:
        """Return the dotted place of a key."""
        return f"{self._where}.{key}" if self._where else key

    def part(self, key: str, parse: Callable[[object, str], Allowed]) -> Allowed:
        """Read an object, which may be absent."""
        return parse(self.json.get(key, {}), self.name(key))

    def flag(self, key: str) -> bool | None:
        """Read a boolean."""
        value = self.json.get(key)
        if value is not None and not isinstance(value, bool):
            raise BadJson(f"'{self.name(key)}' must be true or false")
        return value

    def limit(self) -> int | None:
        """Read the number of events."""
        value = self.json.get("limit")
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadJson(f"'{self.name('limit')}' must be an integer")
        if value < 0:
            raise InvalidParam(f"'{self.name('limit')}' must not be negative")
        return min(value, MAX_LIMIT)

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """Read one of some words; the first is the default."""
        value = self.json.get(key, choices[0])
        if value not in choices:
            raise InvalidParam(f"'{self.name(key)}' must be one of: {', '.join(choices)}")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Read a list of strings."""
        value = self.json.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise BadJson(f"'{self.name(key)}' must be a list of strings")
        if len(value) > MAX_ENTRIES or any(len(entry) > MAX_ENTRY_CHARACTERS for entry in value):
            raise TooLarge(f"'{self.name(key)}' has too many or too long entries")
        return tuple(value)

    def ids(self, key: str, sigil: str) -> frozenset[str] | None:
        """Read a list of ids that begin with a sigil. Whether they are well-formed otherwise makes no difference."""
        texts = self.texts(key)
        for text in texts or ():
            if not text.startswith(sigil) or (sigil == "@" and ":" not in text):
                raise BadJson(f"'{self.name(key)}' has an entry that is no {'user' if sigil == '@' else 'room'} id")
        return _frozen(texts)


def _event_parts(reader: _Reader) -> dict[str, Any]:
    types, not_types = reader.texts("types"), reader.texts("not_types")
    return {
        "limit": reader.limit(),
        "types": types,
        "not_types": not_types or (),
        "senders": reader.ids("senders", "@"),
        "not_senders": reader.ids("not_senders", "@") or frozenset(),
        "_wanted_type": None if types is None else _match_any(types),
        "_unwanted_type": _match_any(not_types) if not_types else None,
    }


def _match_any(patterns: Iterable[str]) -> TextMatcher:
    """Return a matcher for any of some patterns in which `*` is any run of characters and nothing else is special."""
    names: set[str] = set()
    prefixes: list[str] = []
    others: list[TextMatcher] = []
    for pattern in patterns:
        if "*" not in pattern:
            names.add(pattern)
        elif pattern.index("*") == len(pattern) - 1:
            prefixes.append(pattern[:-1])
        else:
            others.append(match_whole(pattern, question_mark=False))
    starts = tuple(prefixes)
    return lambda text: text in names or text.startswith(starts) or any(matches(text) for matches in others)


def _is_empty(wanted: Collection[str] | None) -> bool:
    return wanted is not None and not wanted


def _frozen(texts: Iterable[str] | None) -> frozenset[str] | None:
    return None if texts is None else frozenset(texts)


EVERYTHING = Filter.parse({})
"""The filter of a client that sent none."""
EVERY_EVENT = RoomEventFilter.parse({})
"""The same for one part."""
