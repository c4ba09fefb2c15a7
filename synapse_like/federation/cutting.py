"""Cuts the events out of a large reply, that to a join or a whole state, as its bytes arrive.

The reply is an object (in version 1 of joining the second entry of a list) two lists of which, the state and its auth
chain, hold nearly all of it. Each entry of these is handed on as soon as it has ended; what remains is small, and is
decoded at the end. Nothing is kept of an entry that is too large, and depth costs nothing: brackets are only counted.
"""

import re
from typing import Final

LARGEST_ENTRY: Final = 512 * 1024
"""The most bytes of an entry: 65,536 of canonical JSON, each written as an escape, and some `unsigned`."""

LARGEST_REST: Final = 256 * 1024

_TO_BRACKET: Final = re.compile(rb'[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+([{}\[\]]?+)', re.DOTALL)
"""Up to and with the next bracket that is not in a string; up to a string that has not ended, if there is none."""

_TO_QUOTE: Final = re.compile(rb'(?:[^"\\]++|\\.)*+("?+)', re.DOTALL)
"""The rest of a string, up to and with its end; without a backslash at the end of the data."""

_USUAL_DEPTH: Final = 6


def _shallow(levels: int) -> bytes:
    """What may stand in brackets, with so many levels below."""
    plain = rb'[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+"'
    return plain if levels == 0 else plain + rb"|[{\[](?:" + _shallow(levels - 1) + rb")*+[}\]]"


_USUAL_ENTRY: Final = re.compile(rb"[\s,]*+(\{(?:" + _shallow(_USUAL_DEPTH) + rb")*+\})", re.DOTALL)
"""A whole entry, as nearly all are: three times as fast as bracket by bracket."""

_KEY: Final = re.compile(rb'"([^"\\]{1,64})"\s{0,64}:\s{0,64}\[\Z')


class TooMuch(ValueError):
    """What is left beside the lists is too large."""


class Cutter:
    """Cuts the entries out of some lists of an object. Each byte is looked at once or twice, however they arrive."""

    def __init__(self, *lists: str) -> None:
        self._lists = {name.encode(): name for name in lists}
        self._waiting = b""
        self._depth = 0
        self._is_in_string = False
        self._list: str | None = None
        self._list_depth = 0
        self._keeps = True
        self._entry = bytearray()
        self._rest = bytearray()
        self.too_large = 0
        """How many entries were left out because of their size."""

    def feed(self, part: bytes) -> list[tuple[str, bytes]]:
        """More of the text; the entries that have ended by it, each with the name of its list. Raises TooMuch."""
        data = self._waiting + part if self._waiting else part
        found: list[tuple[str, bytes]] = []
        place, end = 0, len(data)
        while place < end:
            if self._list is not None and self._depth == self._list_depth and not self._is_in_string:
                place = self._cut(data, place, found)
            if self._is_in_string:
                match = _TO_QUOTE.match(data, place)
                assert match is not None
                self._is_in_string = not match[1]
            else:
                match = _TO_BRACKET.match(data, place)
                assert match is not None
            stop = match.end()
            self._take(data[place:stop])
            if not self._is_in_string and match.re is _TO_BRACKET and match[1]:
                self._bracket(match[1], found)
            elif stop < end and data[stop] == 0x22:  # a string that has not ended yet
                self._take(b'"')
                self._is_in_string = True
                stop += 1
            elif stop == place:
                break  # a backslash whose character has not come
            place = stop
        self._waiting = data[place:]
        return found

    def rest(self) -> bytes:
        """What is left when all has come: the reply with empty lists."""
        return bytes(self._rest + self._waiting)

    def _cut(self, data: bytes, place: int, found: list[tuple[str, bytes]]) -> int:
        """Cut usual entries that are there as a whole; where the last one ends."""
        assert self._list is not None
        while (match := _USUAL_ENTRY.match(data, place)) is not None:
            place = match.end()
            entry = match[1]
            if len(entry) <= LARGEST_ENTRY:
                found.append((self._list, entry))
            else:
                self.too_large += 1
        return place

    def _take(self, text: bytes) -> None:
        if self._list is None:
            self._rest += text
            if len(self._rest) > LARGEST_REST:
                raise TooMuch("There is too much beside the events")
        elif self._depth > self._list_depth and self._keeps:
            self._entry += text
            if len(self._entry) > LARGEST_ENTRY:
                self._keeps = False
                self._entry.clear()
                self.too_large += 1

    def _bracket(self, bracket: bytes, found: list[tuple[str, bytes]]) -> None:
        if bracket in b"{[":
            self._depth += 1
            if self._list is None and bracket == b"[" and self._depth <= 3:
                self._begin_list()
            elif self._list is not None and self._depth == self._list_depth + 1:
                self._entry[:] = bracket
                self._keeps = True
            return
        self._depth -= 1
        if self._list is None:
            return
        if self._depth == self._list_depth and self._keeps:
            found.append((self._list, bytes(self._entry)))
        elif self._depth < self._list_depth:
            self._list = None
            self._rest += bracket

    def _begin_list(self) -> None:
        """A list begins: one of ours, if its key says so and it stands where the reply's own keys are."""
        level = 3 if self._rest.lstrip()[:1] == b"[" else 2
        key = _KEY.search(self._rest, max(0, len(self._rest) - 256))
        if self._depth == level and key is not None and key[1] in self._lists:
            self._list = self._lists[key[1]]
            self._list_depth = self._depth
