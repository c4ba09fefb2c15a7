"""Good JSON values, damaged: what a hostile or broken server makes of what it should have sent.

A value is changed in one or a few places: something else stands there, it is gone, there twice, or deep inside of
something. What comes out is text, as no encoder of ours writes half surrogates, infinite numbers or great depth.
"""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

DEEP = "@@deep@@"
DEEPER = "@@deeper@@"
_TEXTS = {DEEP: "[" * 300 + "]" * 300, DEEPER: '{"a":' * 5000 + "1" + "}" * 5000}

wild: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, 1, -1, 2**31, 2**53 - 1, 2**53, -(2**53), 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40,
        0.5, -0.0, 1e308, float("inf"), float("nan"), "", " ", "x", "\0", "a\0b", "\ud800", "é" * 130, "x" * 256,
        "$\ud800:x", "$x:y\0",
        "y" * 70_000, "$", "!", "@", "#", "@:", "@x:three", "!x:three", "$" + "h" * 43, "@alice:one", "@x:\0",
        "m.room.create", "join", "public", [], {}, [None], [[]], [{}], {"": ""}, {"\0": 1}, {"\ud800": 1},
        ["$" + "h" * 43],
        [["$x:three", {"sha256": "x"}]], [["$x:three", {}]] * 30, ["$" + "h" * 43] * 30, {"three": {"ed25519:k": "x"}},
        {"three": 5}, {"three": {"ed25519:k": 5}}, {"body": "x"}, DEEP, DEEPER, list(range(1000)),
        {str(n): n for n in range(500)},
    ]
)  # fmt: skip
"""Values that may stand where others should."""


@dataclass(frozen=True)
class Damage:
    """A change to a value of whatever size: `place` is taken modulo the number of its places."""

    place: int
    action: str
    value: Any
    key: str

    def to(self, value: Any) -> Any:
        """A damaged copy."""
        found = copy.deepcopy(value)
        holders: list[tuple[Any, Any]] = []
        _holders(found, holders)
        if not holders or self.action == "all":
            return copy.deepcopy(self.value)
        holder, key = holders[self.place % len(holders)]
        if self.action == "gone":
            del holder[key]
        elif self.action == "deeper":
            holder[key] = [holder[key]]
        elif self.action == "more" and isinstance(holder, dict):
            holder[self.key] = copy.deepcopy(self.value)
        elif self.action == "more":
            holder.extend([holder[key]] * (1 + self.place % 60))
        else:
            holder[key] = copy.deepcopy(self.value)
        return found


damage = st.builds(
    Damage,
    st.integers(0, 5000),
    st.sampled_from(["other", "other", "other", "other", "gone", "gone", "deeper", "more", "all"]),
    wild,
    st.sampled_from(
        ["x", "", "\0", "\ud800", "state_key", "redacts", "room_id", "event_id", "unsigned", "content", "errcode"]
    ),
)


def damaged(value: Any, damages: Sequence[Damage]) -> Any:
    """A copy of a value with all the damage."""
    for each in damages:
        value = each.to(value)
    return value


def _holders(value: Any, found: list[tuple[Any, Any]], most: int = 300) -> None:
    """Every place in a value: what holds it, and by which key or index."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        if len(found) < most:
            found.append((value, key))
            _holders(value[key], found, most)


def text_of(value: Any) -> bytes:
    """The JSON text of a damaged value."""
    text = json.dumps(value)
    for mark, deep in _TEXTS.items():
        text = text.replace(f'"{mark}"', deep)
    return text.encode()
