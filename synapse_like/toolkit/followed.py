"""Values that are loaded from the database once and then kept current by what the log says.

A value carries the number of the fact that made it (0 if it comes from no fact yet), and an older number never replaces
a newer one; so neither a slow read nor a late frame brings back what has been replaced.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
        self._load = Gathered(load)
        self._default = default
        self.limit = limit
        self.hits = self.misses = 0
        self._known: OrderedDict[str, tuple[int, V]] = OrderedDict()
        self._missed: dict[str, list[tuple[int, V]]] = {}

    def __len__(self) -> int:
        """How many values are here."""
        return len(self._known)

    async def get(self, key: str) -> V:
        """The value of a key, from memory if it is there."""
        known = self._known.get(key)
        if known is None:
            self.misses += 1
            return await self._read(key)
        self.hits += 1
        self._known.move_to_end(key)
        return known[1]

    def take(self, key: str, number: int, value: V) -> None:
        """Take in a fact. What nobody has asked for is not kept."""
        if key in self._missed:
            self._missed[key].append((number, value))
        known = self._known.get(key)
        if known is not None and number > known[0]:
            self._known[key] = number, value

    def _keep(self, key: str, number: int, value: V) -> V:
        known = self._known.get(key)
        if known is not None and known[0] > number:
            return known[1]
        self._known[key] = number, value
        if len(self._known) > self.limit:
            self._known.popitem(last=False)
        return value

    async def _read(self, key: str) -> V:
        missed = self._missed.setdefault(key, [])
        try:
            newest = await self._load.get(key) or (0, self._default)
            for number, value in missed:
                if number > newest[0]:
                    newest = number, value
            return self._keep(key, *newest)
        finally:
            if self._missed.get(key) is missed:
                del self._missed[key]
