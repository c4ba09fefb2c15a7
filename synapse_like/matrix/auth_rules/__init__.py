"""The authorization rules: whether an event is allowed in a room that stands in a given state.

Here live the rules of room versions 1 to 12, a file per family, and the choice of the events that authorize another.
Signatures of servers, hashes and the format of events are checked elsewhere (`signatures`, `event_checks`); so is
whether a redaction is carried out. Source: "Room Versions", "Authorization rules".

* `check_auth(event, state)` applies every rule that needs the state of the room.
* `check_auth_event_choice(event, auth_events)` applies those on the events that it lists as its `auth_events`.
* `auth_keys_for(...)` says which state an event must list.
"""

from synapse_like.matrix.auth_rules.rules import check_auth
from synapse_like.matrix.auth_rules.selection import auth_keys_for, auth_keys_of, check_auth_event_choice

__all__ = ["auth_keys_for", "auth_keys_of", "check_auth", "check_auth_event_choice"]
