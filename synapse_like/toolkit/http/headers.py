"""Headers of a request: names without case, values as text. Limits on them are in ``protocol``."""

from collections.abc import Iterator


class Headers:
    """The headers of one request in the order in which they came."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[tuple[str, str]] | None = None) -> None:
        """Take (name in lower case, value) pairs; the list is kept, not copied."""
        self._pairs = [] if pairs is None else pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of a header, or the default."""
        wanted = name.lower()
        for known, value in self._pairs:
            if known == wanted:
                return value
        return default

    def getall(self, name: str) -> list[str]:
        """Return every value of a header in the order in which they came."""
        wanted = name.lower()
        return [value for known, value in self._pairs if known == wanted]

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)
