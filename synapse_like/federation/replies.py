"""Takes a large reply in while it comes: what it tells of a room is cut out, looked at, and put aside."""

import logging
from typing import Any, Final

import msgspec

from synapse_like.federation.cutting import Cutter, TooMuch
from synapse_like.federation.errors import BadReply, ReplyTooLarge
from synapse_like.federation.keys import KeyName, keys_named_by
from synapse_like.federation.pdus import parse
from synapse_like.matrix.canonical_json import parsed
from synapse_like.matrix.errors import AuthError
from synapse_like.rooms.told import Told

logger = logging.getLogger(__name__)

LARGEST_REPLY: Final = 512 * 1024 * 1024
MOST_KEYS: Final = 20_000
"""How many signing keys a reply may make us look for; what is signed with further ones is left out."""

_MOST_REASONS: Final = 5
_AUTH_CHAIN: Final = "auth_chain"

Json = dict[str, Any]


class RoomReply:
    """A reply on its way, that to a join or a whole state.

    * `told`   the events that have come so far
    * `keys`   the keys that have signed them, and when each must have been valid
    * `rest`   the reply without its events; known at the end
    """

    def __init__(self, server: str, told: Told, state_list: str = "state") -> None:
        self.told = told
        self.keys: dict[KeyName, int] = {}
        self.rest: Json = {}
        self._server = server
        self._state_list = state_list
        self._cutter = Cutter(state_list, _AUTH_CHAIN)
        self._refused = 0
        self._reasons: dict[str, str] = {}

    def write(self, part: bytes) -> None:
        """Take more of it. Raises ReplyTooLarge."""
        try:
            for name, text in self._cutter.feed(part):
                self._read(text, is_state=name == self._state_list)
        except (TooMuch, AuthError) as error:
            raise ReplyTooLarge(f"{self._server} told of a room that is too large: {error}") from error

    def finish(self) -> None:
        """All has come. Raises BadReply."""
        if self._refused or self._cutter.too_large:
            counts = self._refused, self._cutter.too_large
            logger.warning("%s told of %d events that are none, and %d too large ones: %s", self._server, *counts,
                           self._reasons)  # fmt: skip
        try:
            rest = msgspec.json.decode(self._cutter.rest())
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
            rest = None
        if isinstance(rest, list) and len(rest) == 2:
            rest = rest[1]
        if not isinstance(rest, dict) or not rest.get(self._state_list) == rest.get(_AUTH_CHAIN) == []:
            raise BadReply(f"{self._server} answered with something else than a room")
        self.rest = rest

    def _read(self, text: bytes, *, is_state: bool) -> None:
        reasons: dict[str, str] = {}
        try:
            event = parse(parsed(text.decode()), self.told.version, reasons)
        except (ValueError, RecursionError):
            event = None
        if event is None or event.room_id != self.told.room_id:
            self._refused += 1
            if len(self._reasons) < _MOST_REASONS:
                self._reasons |= reasons
            return
        self.told.add(event, is_state=is_state)
        for name, until_ms in keys_named_by(event).items():
            if name in self.keys or len(self.keys) < MOST_KEYS:
                self.keys[name] = max(self.keys.get(name, 0), until_ms)
