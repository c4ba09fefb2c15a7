"""Values that are loaded from the database once and then kept current by what the log says.

A value carries the number of the fact that made it (0 if it comes from no fact yet), and an older number never replaces
a newer one; so neither a slow read nor a late frame brings back what has been replaced.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import itemgetter
from typing import Generic, TypeVar

from synapse_like.toolkit.gathered import Gathered

V = TypeVar("V")


class Followed(Generic[V]):
    """The values of at most `limit` keys.

    `load` reads (number, value) of many keys in a snapshot; of those that it leaves out the value is `default`.
    """

    def __init__(
        self,
        load: Callable[[Sequence[str]], Awaitable[Mapping[str, tuple[int, V]]]],
        default: V,
        limit: int = 20_000,
    ) -> None:
        self._load = load
        self._loaded = Gathered(self._read)
        self._default = default
        self.limit = limit
        self.hits = self.misses = 0
        self._known: OrderedDict[str, tuple[int, V]] = OrderedDict()
        self._missed: dict[str, tuple[int, V]] = {}
        """The newest that has come, since their load began, of the keys that are being loaded."""

    def __len__(self) -> int:
        """How many values are here."""
        return len(self._known)

    async def get(self, key: str) -> V:
        """The value of a key, from memory if it is there."""
        known = self._known.get(key)
        if known is None:
            self.misses += 1
            loaded = await self._loaded.get(key)
            assert loaded is not None
            return self._known.get(key, loaded)[1]
        self.hits += 1
        self._known.move_to_end(key)
        return known[1]

    def take(self, key: str, number: int, value: V) -> None:
        """Take in a fact. What nobody has asked for is not kept."""
        for values in (self._missed, self._known):
            newest = values.get(key)
            if newest is not None and number > newest[0]:
                values[key] = number, value

    async def _read(self, keys: Sequence[str]) -> dict[str, tuple[int, V]]:
        """Load the values of these keys, and keep them: one load at a time, which no request can cancel."""
        self._missed = dict.fromkeys(keys, (0, self._default))
        try:
            loaded = await self._load(keys)
            return {key: self._keep(key, loaded.get(key, missed)) for key, missed in self._missed.items()}
        finally:
            self._missed = {}

    def _keep(self, key: str, loaded: tuple[int, V]) -> tuple[int, V]:
        """Keep the newest of what was loaded, has come meanwhile, and is here already."""
        newest = max(loaded, self._missed[key], self._known.get(key, loaded), key=itemgetter(0))
        self._known[key] = newest
        if len(self._known) > self.limit:
            self._known.popitem(last=False)
        return newest
