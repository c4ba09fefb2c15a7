"""Sending: PUT of messages, state and redactions.

A message of a member goes from here to the room's live state and into the log, without a question to the database;
reactions ask one, as nobody may react twice in the same way. `Sending` is the front door.
"""

from synapse_like.features.directory import Directory
from synapse_like.features.membership import Membership
from synapse_like.features.send.annotations import keep_annotations
from synapse_like.features.send.api import SendingApi
from synapse_like.features.send.logic import Sending, SendingLimits
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Sending"]


def build(kit: Kit, rooms: Rooms, membership: Membership, directory: Directory) -> Built:
    """Put the feature together."""
    limits = SendingLimits(kit.limiter, kit.config[RateLimits])
    sending = Sending(rooms, kit.database, membership, directory, limits)
    return Built(fronts=(sending,), apis=(SendingApi(sending),), effects=(keep_annotations,))


FEATURE = Feature(name="send", build=build, package=__name__, apis=(SendingApi,))
