"""What can be wrong with a configuration, and where. Nothing here decides that something is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Weight(Enum):
    """How much a remark matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say about one key: ``homeserver.yaml:12: rc_message.per_second: must be a number``."""

    weight: Weight
    key: str
    message: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.message}" if self.place else f"{self.key}: {self.message}"


class ConfigErrors(Exception):
    """A configuration that cannot be used; ``remarks`` names every problem, in the order of the files."""

    def __init__(self, remarks: Sequence[Remark]) -> None:
        self.remarks = tuple(remarks)
        lines = [str(remark) for remark in self.remarks]
        super().__init__("\n".join(["The configuration cannot be used:", *(f"  {line}" for line in lines)]))
