"""Typing: who is writing in a room just now. Kept in memory by the room's owner and by readers; never stored."""

from synapse_like.features.typing.api import TypingApi
from synapse_like.features.typing.edus import TypingNews, receiver
from synapse_like.features.typing.logic import Typing
from synapse_like.features.typing.section import TypingSection
from synapse_like.features.typing.stream import TYPING
from synapse_like.rooms.families import ROOM
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "TYPING", "Typing"]


def build(kit: Kit, rooms: Rooms) -> Built:
    """The endpoint, the stream and the part of /sync."""
    typing = Typing(rooms, kit.clock)
    return Built(
        fronts=[typing],
        apis=[TypingApi(typing)],
        ephemeral=[TYPING],
        sections=[TypingSection(rooms.reader)],
        edu_sources=[TypingNews(kit.clock, kit.server_name).source()],
        edu_receivers=[receiver(typing)],
        tenants=[(ROOM, typing)],
    )


FEATURE = Feature(name="typing", build=build, package=__name__, apis=(TypingApi,))
