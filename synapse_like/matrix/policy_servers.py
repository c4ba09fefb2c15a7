"""Which server a room asks whether an event is wanted: its m.room.policy, and the signature that says so.

Here lives what the state says and whether an event is signed; asking is for `federation`.
Source: server-server API, "Policy Servers"; MSC4284.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from synapse_like.matrix.errors import BadJson, InvalidParam
from synapse_like.matrix.events import Event
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.matrix.signatures import verify_event_signature
from synapse_like.matrix.signing_keys import VerifyKey

POLICY: Final = ("m.room.policy", "")
"""The state key of a room's policy server. That event itself needs nobody's recommendation."""
POLICY_KEY_ID: Final = "ed25519:policy_server"
"""The key by which all policy servers sign. It stands in the room, and is none of the server's own keys."""


@dataclass(frozen=True, slots=True)
class PolicyServer:
    """A policy server as a room's state names it; it is one only while a user of it is in the room."""

    name: str
    key: VerifyKey

    def recommends(self, event: Event) -> bool:
        """Whether the event holds its good signature."""
        return verify_event_signature(event.pdu, event.room_version, self.name, self.key)

    def with_recommendation(self, event: Event, answer: Any) -> Event:
        """The event with the signature of an answer of /sign, beside those that it has.

        Raises BadJson (there is no good signature in the answer) and TooLarge.
        """
        by_key = answer.get(self.name) if isinstance(answer, dict) else None
        signature = by_key.get(POLICY_KEY_ID) if isinstance(by_key, dict) else None
        before = event.pdu.get("signatures") or {}
        own = before.get(self.name)
        signatures = {**before, self.name: {**(own if isinstance(own, dict) else {}), POLICY_KEY_ID: signature}}
        signed = Event.from_pdu({**event.pdu, "signatures": signatures}, event.room_version)
        if not self.recommends(signed):
            raise BadJson(f"{self.name} has not signed with the key that the room names")
        return signed


def policy_server(content: Mapping[str, Any]) -> PolicyServer | None:
    """The policy server of the content of m.room.policy; None if it is not valid, for then the room has none."""
    name, keys = content.get("via"), content.get("public_keys")
    text = keys.get("ed25519") if isinstance(keys, dict) else None
    if not isinstance(name, str) or not is_valid_server_name(name) or not isinstance(text, str):
        return None
    try:
        return PolicyServer(name, VerifyKey.from_base64(POLICY_KEY_ID, text))
    except InvalidParam:
        return None
