"""The state of a room as a client asks for it: all of it, one key, its members, and the rooms that a user has joined.

Who has left sees the state at the departure; everybody sees that of a world-readable room.
"""

from synapse_like.features.history import TimelineTokens
from synapse_like.features.room_state.api import MembersApi, StateApi
from synapse_like.features.room_state.known_states import KnownStates
from synapse_like.features.room_state.logic import RoomStates
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "RoomStates"]


def build(kit: Kit, rooms: Rooms, tokens: TimelineTokens) -> Built:
    """The endpoints."""
    known = KnownStates()
    states = RoomStates(kit.database, kit.clock, rooms.events, known)
    return Built(
        fronts=[states],
        apis=[StateApi(states), MembersApi(states, tokens, rooms.memberships)],
        caches={"known_states": known.cache},
    )


FEATURE = Feature(name="room_state", build=build, package=__name__, apis=(StateApi, MembersApi))
