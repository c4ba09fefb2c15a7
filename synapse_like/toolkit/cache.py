"""A cache of what was loaded from the database and is dropped when a stream says that it changed.

It never holds "not found", and never a value that was being read while the key was forgotten: what a load brings home
after that is thrown away and loaded again.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Load:
    """One load under way."""

    __slots__ = ("is_stale", "key")

    def __init__(self, key: object) -> None:
        self.key = key
        self.is_stale = False


class LoadingCache(Generic[K, V]):
    """At most `limit` values; the one that was not asked for longest goes first.

    `group_of` names what values are forgotten by besides their key: the user of a token, say.
    """

    def __init__(
        self, load: Callable[[K], Awaitable[V | None]], limit: int, group_of: Callable[[V], Hashable] | None = None
    ) -> None:
        self._load = load
        self.limit = limit
        self.hits = self.misses = 0
        self._group_of = group_of
        self._known: OrderedDict[K, V] = OrderedDict()
        self._groups: dict[Hashable, set[K]] = {}
        self._loads: set[_Load] = set()

    def __len__(self) -> int:
        """How many values are here."""
        return len(self._known)

    def peek(self, key: K) -> V | None:
        """The value if it is here."""
        value = self._known.get(key)
        if value is not None:
            self._known.move_to_end(key)
        return value

    async def get(self, key: K) -> V | None:
        """The value, loaded if it is not here; None if there is none."""
        value = self.peek(key)
        if value is None:
            self.misses += 1
        else:
            self.hits += 1
        while value is None:
            load = _Load(key)
            self._loads.add(load)
            try:
                value = await self._load(key)
            finally:
                self._loads.discard(load)
            if load.is_stale:
                value = None
                continue
            if value is None:
                return None
            self._keep(key, value)
        return value

    def forget(self, key: K) -> None:
        """Drop one value."""
        self._drop(key)
        for load in self._loads:
            load.is_stale = load.is_stale or load.key == key

    def forget_group(self, group: Hashable) -> None:
        """Drop every value of a group. Loads under way are repeated: nobody knows yet whose they are."""
        for key in list(self._groups.get(group, ())):
            self._drop(key)
        for load in self._loads:
            load.is_stale = True

    def _keep(self, key: K, value: V) -> None:
        self._drop(key)
        self._known[key] = value
        if self._group_of is not None:
            self._groups.setdefault(self._group_of(value), set()).add(key)
        while len(self._known) > self.limit:
            self._drop(next(iter(self._known)))

    def _drop(self, key: K) -> None:
        value = self._known.pop(key, None)
        if value is None or self._group_of is None:
            return
        group = self._group_of(value)
        keys = self._groups[group]
        keys.discard(key)
        if not keys:
            del self._groups[group]
