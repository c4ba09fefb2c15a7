"""Unread counts: how many events of each room, and of each thread, a user has not read, and how many of them highlight.

Each room keeps counters that say what plain members get; a member has marks, a mode and deviations (DESIGN.md section
4). `UnreadNotices` counts for the spine, `Unread` is the front door for everybody else.

The list of notifications is here as well.
"""

from synapse_like.features.account_data import UserData
from synapse_like.features.push_rules import PushRules
from synapse_like.features.receipts import Receipts
from synapse_like.features.unread.api import NotificationsApi
from synapse_like.features.unread.effect import counting_effect
from synapse_like.features.unread.logic import RoomCounts, Unread
from synapse_like.features.unread.notices import UnreadNotices
from synapse_like.features.unread.notifications import Notifications
from synapse_like.features.unread.section import UnreadSection
from synapse_like.features.unread.stream import MODES, storage
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "MODES", "RoomCounts", "Unread", "UnreadNotices"]


def build(
    kit: Kit, rooms: Rooms, notices: UnreadNotices, rules: PushRules, data: UserData, receipts: Receipts
) -> Built:
    """The counting of the spine's events, marks by receipts, and the part of /sync."""
    unread = Unread(kit.database)
    notices.attach(rooms)
    rules.on_changed.append(notices.rules_changed)
    receipts.read_marks = unread
    return Built(
        fronts=[unread],
        apis=[NotificationsApi(Notifications(kit.database, rooms, rules, data), kit.clock)],
        storages=[storage()],
        effects=[counting_effect(kit.server_name)],
        sections=[UnreadSection(rooms.reader)],
    )


FEATURE = Feature(name="unread", build=build, package=__name__, apis=(NotificationsApi,))
