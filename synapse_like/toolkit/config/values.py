"""Kinds of values that homeserver.yaml knows beyond YAML's own: durations, sizes, secrets, paths.

How a value is read from a file is in ``reading``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DURATION_UNITS_MS = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "y": 365 * 86_400_000,
}
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy]?)")
_SIZE = re.compile(r"(\d+)\s*(?:([KMGT])(?:iB|B)?|B?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time. Written as whole milliseconds, or a number with one of ms, s, m, h, d, w, y."""

    ms: int

    @classmethod
    def of(cls, written: str | int) -> "Duration":
        """Read ``"7d"`` or ``604800000``. Raises ValueError."""
        found = _DURATION.fullmatch(str(written).strip())
        if found is None or isinstance(written, bool):
            raise ValueError(f"must be milliseconds or a number with s, m, h, d, w or y (such as 5m), not {written!r}")
        return cls(int(found[1]) * _DURATION_UNITS_MS[found[2] or "ms"])

    @property
    def seconds(self) -> float:
        """The same length in seconds."""
        return self.ms / 1000

    def __str__(self) -> str:
        units = [unit for unit in ("w", "d", "h", "m", "s") if self.ms and self.ms % _DURATION_UNITS_MS[unit] == 0]
        return f"{self.ms // _DURATION_UNITS_MS[units[0]]}{units[0]}" if units else f"{self.ms}ms"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """A number of bytes. Written as such, or with one of K, M, G, T (powers of 1024; KiB and MB mean the same)."""

    bytes: int

    @classmethod
    def of(cls, written: str | int) -> "Size":
        """Read ``"50M"`` or ``52428800``. Raises ValueError."""
        found = _SIZE.fullmatch(str(written).strip())
        if found is None or isinstance(written, bool):
            raise ValueError(f"must be bytes or a number with K, M, G or T (such as 50M), not {written!r}")
        return cls(int(found[1]) * _SIZE_UNITS[(found[2] or "").upper()])

    def __str__(self) -> str:
        units = [unit for unit in ("T", "G", "M", "K") if self.bytes and self.bytes % _SIZE_UNITS[unit] == 0]
        return f"{self.bytes // _SIZE_UNITS[units[0]]}{units[0]}" if units else str(self.bytes)


@dataclass(frozen=True, slots=True)
class Secret:
    """Text that nobody may see: neither ``repr`` nor ``str`` show it. ``.value`` does."""

    value: str

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __str__(self) -> str:
        return "(hidden)"

    def __bool__(self) -> bool:
        return bool(self.value)


class FilePath(str):
    """A path; if written relative, relative to the folder of the configuration file that names it."""

    __slots__ = ()


class Arguments(dict[str, Any]):
    """Keyword arguments for a library, which checks them; ``folder`` is that of the file that they stand in."""

    folder: Path = Path()

    def __repr__(self) -> str:
        return f"Arguments({', '.join(map(str, self))})"
