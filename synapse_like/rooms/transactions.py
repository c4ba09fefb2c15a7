"""What requests have lately made in one room, so that a request that is repeated gets the first one's event.

The newest are kept as they are. Of those that had to make room a filter remembers that they were there: the database is
asked only for an id that may have been seen, not for each new one. The filter errs towards asking.
"""

from collections.abc import Iterable
from typing import Final

TransactionKey = tuple[str, str, str]
"""(user id, device id, transaction id)"""

HORIZON_MS: Final = 24 * 3600 * 1000
"""For how long a repeat is recognised at the least."""
KEPT: Final = 200
_BITS: Final = 18
_MASK: Final = (1 << _BITS) - 1


class _Filter:
    """A set that may claim to hold what it does not: 3 bits of 2^18 for each key (a Bloom filter).

    With 20,000 keys in it, 1 % of others are taken for one of them; with 60,000, 12 %.
    """

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray(1 << _BITS - 3)

    def add(self, key: TransactionKey) -> None:
        """Put a key in."""
        for place in _places(key):
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, key: object) -> bool:
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in _places(key))


def _places(key: object) -> tuple[int, int, int]:
    number = hash(key)
    return number & _MASK, number >> _BITS & _MASK, number >> 2 * _BITS & _MASK


class RecentTransactions:
    """The last requests of a room; `known_ms` is the time from which on every one of them was seen here."""

    __slots__ = ("_began_ms", "_events", "_gone", "_known_ms")

    def __init__(self, known_ms: int = 0) -> None:
        self._known_ms = known_ms
        self._events: dict[TransactionKey, str] = {}
        self._gone: list[_Filter] = []
        self._began_ms = 0

    @classmethod
    def loaded(cls, newest_first: Iterable[tuple[TransactionKey, str]], known_ms: int) -> "RecentTransactions":
        """Those of a room that was read from the database, of which `known_ms` says how far back they reach."""
        found = cls(known_ms)
        for key, event_id in reversed(list(newest_first)):
            found.note(key, event_id, known_ms)
        return found

    def __len__(self) -> int:
        """How many are kept as they are."""
        return len(self._events)

    def get(self, key: TransactionKey) -> str | None:
        """The event that a request has made, if it is one of the newest."""
        return self._events.get(key)

    def may_be_stored(self, key: TransactionKey, now_ms: int) -> bool:
        """Whether the database has to be asked for a request that is not among the newest."""
        return self._known_ms > now_ms - HORIZON_MS or any(key in each for each in self._gone)

    def note(self, key: TransactionKey, event_id: str, now_ms: int) -> None:
        """A request has made an event."""
        self._events[key] = event_id
        if len(self._events) > KEPT:
            oldest = next(iter(self._events))
            del self._events[oldest]
            self._filter(now_ms).add(oldest)

    def _filter(self, now_ms: int) -> _Filter:
        """The filter to add to: one for as long as the horizon, besides the one before it."""
        if not self._gone or now_ms - self._began_ms > HORIZON_MS:
            self._gone = [*self._gone[-1:], _Filter()]
            self._began_ms = now_ms
        return self._gone[-1]
