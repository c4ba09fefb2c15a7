"""What is looked up about caches: entries, hits, misses. A cache counts for itself, in plain numbers."""

from typing import Final, Protocol

from synapse_like.toolkit.metrics.declaring import counter, gauge
from synapse_like.toolkit.metrics.registry import Metrics

_CACHE: Final = {"cache": "the caches in the code"}

ENTRIES: Final = gauge("cache_entries", "Entries in a cache.", _CACHE)
LIMIT: Final = gauge("cache_entries_max", "How many entries a cache may have.", _CACHE)
HITS: Final = counter("cache_hits", "Questions that the cache could answer.", _CACHE)
MISSES: Final = counter("cache_misses", "Questions that it could not.", _CACHE)

METRICS: Final = (ENTRIES, LIMIT, HITS, MISSES)


class Counted(Protocol):
    """A cache that counts."""

    hits: int
    misses: int

    @property
    def limit(self) -> int:
        """How many there may be."""

    def __len__(self) -> int:
        """How many entries there are."""


def watch_cache(metrics: Metrics, name: str, cache: Counted) -> None:
    """Show a cache under a name."""
    metrics.sample(ENTRIES, cache.__len__, cache=name)
    metrics.sample(LIMIT, lambda: cache.limit, cache=name)
    metrics.sample(HITS, lambda: cache.hits, cache=name)
    metrics.sample(MISSES, lambda: cache.misses, cache=name)
