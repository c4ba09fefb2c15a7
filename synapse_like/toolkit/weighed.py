"""A cache that is bounded by the memory that its things take, however many they are."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class WeighedCache(Generic[K, V]):
    """As many things as together weigh no more than `limit_bytes`; the one that was not used for longest goes first.

    `smallest_bytes` is about what one weighs at least. Used by one thread at a time, but for `peek`.
    """

    def __init__(self, limit_bytes: int, smallest_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._smallest_bytes = smallest_bytes
        self.hits = self.misses = 0
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._sizes: dict[K, tuple[int, int]] = {}
        self._weight = self._count = 0
        self.peek: Final[Callable[[K], V | None]] = self._kept.get
        """A thing if it is here, which is no use of it. Any thread may ask."""

    def __len__(self) -> int:
        """How many are here, as they were counted."""
        return self._count

    @property
    def limit(self) -> int:
        """How many would be here if the cache were full of such as are here now."""
        if not self._weight:
            return self.limit_bytes // self._smallest_bytes
        return self.limit_bytes * self._count // self._weight

    def get(self, key: K) -> V | None:
        """A thing if it is here, which is then the last used. Whether that is a hit is for the caller to say."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def get_all(self, keys: Iterable[K]) -> tuple[dict[K, V], list[K]]:
        """The things that are here, each a hit and now used, and the keys of those that are not, each a miss."""
        peek, use = self.peek, self._kept.move_to_end
        found, missing = {}, []
        for key in keys:
            kept = peek(key)
            if kept is None:
                missing.append(key)
            else:
                use(key)
                found[key] = kept
        self.hits += len(found)
        self.misses += len(missing)
        return found, missing

    def keep(self, key: K, thing: V, weight: int, count: int = 1) -> None:
        """Keep a thing as the last used, in the place of what was here. `weight` is in bytes; it counts for `count`."""
        if key in self._sizes:
            self.forget(key)
        self._kept[key] = thing
        self._sizes[key] = weight, count
        self._weight += weight
        self._count += count
        while self._weight > self.limit_bytes:
            oldest, _ = self._kept.popitem(last=False)
            self._lighten(oldest)

    def forget(self, key: K) -> None:
        """Let go of a thing if it is here."""
        if self._kept.pop(key, None) is not None:
            self._lighten(key)

    def _lighten(self, key: K) -> None:
        weight, count = self._sizes.pop(key)
        self._weight -= weight
        self._count -= count
