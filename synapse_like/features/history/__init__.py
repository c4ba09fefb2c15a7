"""The past of a room as its readers page through it: messages, the context of an event, single events, and which event
stands nearest to a time.

What a reader may see is decided in `rooms.timeline` (the right to look) and `rooms.access` (event by event).
"""

from synapse_like.features.account_data import UserData
from synapse_like.features.history.api import HistoryApi
from synapse_like.features.history.logic import History, Pagination
from synapse_like.features.history.tokens import TimelineTokens, Token, seen_in
from synapse_like.federation.past import RemotePast
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "History", "Pagination", "TimelineTokens", "Token", "seen_in"]


def build(kit: Kit, rooms: Rooms, preferences: UserData, past: RemotePast) -> Built:
    """The endpoints, and the times by which events are found."""
    tokens = TimelineTokens(rooms.reader)
    history = History(kit.database, kit.clock, preferences, rooms.events, past)
    return Built(fronts=[history, tokens], apis=[HistoryApi(history, tokens)])


FEATURE = Feature(name="history", build=build, package=__name__, apis=(HistoryApi,))
