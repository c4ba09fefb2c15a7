"""Presence: who is online, idle or away, as far as those who share a room may see. Kept in memory, never stored.

`Presence` is the front door, and what /sync tells that a client is there. What the owner of a user knows is in
`logic`, by the rules of `person`; what every process has heard is in `heard`, and /sync shows that.
"""

from collections.abc import Sequence

from synapse_like.features.presence.api import PresenceApi
from synapse_like.features.presence.config import PresenceConfig
from synapse_like.features.presence.edus import newcomers, receiver, source
from synapse_like.features.presence.heard import Heard
from synapse_like.features.presence.logic import STEP_MS, Presence
from synapse_like.features.presence.remote import LOOK_SECONDS, RemotePresence
from synapse_like.features.presence.section import PresenceSection
from synapse_like.features.presence.stream import PRESENCE, PresenceFact
from synapse_like.features.receipts import RECEIPTS, ReceiptFact
from synapse_like.rooms.families import USER
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "PRESENCE", "Presence", "PresenceFact"]


def build(kit: Kit, rooms: Rooms) -> Built:
    """The endpoints; unless presence is disabled, the stream, the part of /sync and the job that looks at the time."""
    config = kit.config[PresenceConfig]
    limit = kit.config[RateLimits].rc_presence.per_user
    presence = Presence(rooms, kit.clock, config, kit.limiter, limit)
    apis = [PresenceApi(presence, kit.limiter, limit)]
    if not presence.is_enabled:
        return Built(fronts=[presence], apis=apis)

    def read(receipts: Sequence[ReceiptFact]) -> None:
        for receipt in receipts:
            presence.active(receipt.user_id)

    rooms.reader.subscribe(RECEIPTS, read)
    heard = Heard(rooms.reader, presence.excluded_rooms)
    presence.heard = heard
    remote = RemotePresence(rooms, kit.clock, presence.excluded_rooms)
    return Built(
        fronts=[presence],
        apis=apis,
        ephemeral=[PRESENCE],
        sections=[PresenceSection(heard, config.presence)],
        tenants=[(USER, presence)],
        ticks=[
            ("presence", STEP_MS / 1000, presence.look_at_the_time),
            ("presence of others", LOOK_SECONDS, remote.look_at_the_time),
            ("polls", STEP_MS / 1000, presence.polls.repeat),
        ],
        edu_sources=[source(kit.clock, kit.server_name), newcomers(heard, kit.clock, kit.server_name)],
        edu_receivers=[receiver(remote, kit.clock)],
    )


FEATURE = Feature(name="presence", build=build, package=__name__, apis=(PresenceApi,), configs=(PresenceConfig,))
