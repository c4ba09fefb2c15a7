"""Places: where an event stands in its room, as pagination tokens have it.

A place lies just before the event with that (depth, number). `/messages`, `/context` and `prev_batch` speak of places.
"""

import re
from dataclasses import dataclass

_TEXT = re.compile(r"p(\d{1,16})_(-?\d{1,20})")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Before the event of this depth and number."""

    depth: int
    number: int

    def encode(self) -> str:
        """The text for the client."""
        return f"p{self.depth}_{self.number}"

    @classmethod
    def decode(cls, text: str) -> "Place | None":
        """The place in a text; None if it is not one of ours."""
        match = _TEXT.fullmatch(text)
        return cls(int(match.group(1)), int(match.group(2))) if match else None


END = Place(2**53, 2**62)
"""Behind every event."""
