"""Letting users of other servers in and out of our rooms, and taking invites for our users.

`Admission` and `Invitations` are the front doors; features set what is shown of rooms, and who may be invited.
"""

from synapse_like.federation.admission.api import AdmissionApi, InvitesApi
from synapse_like.federation.admission.invites import Invitations, stripped_of
from synapse_like.federation.admission.logic import Admission
from synapse_like.federation.admission.reply import JoinReplies
from synapse_like.federation.front import Federation
from synapse_like.federation.remote_rooms import RemoteRooms
from synapse_like.federation.serving import RoomRecords
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Admission", "Invitations", "stripped_of"]


def build(kit: Kit, rooms: Rooms, federation: Federation, remote: RemoteRooms, records: RoomRecords) -> Built:
    """The endpoints; none if federation is off."""
    limits = kit.config[RateLimits]
    admission = Admission(rooms, remote.reader)
    invitations = Invitations(rooms, remote.reader, kit.limiter, limits.rc_invites)
    replies = JoinReplies(rooms, kit.database, records)
    apis = [AdmissionApi(admission, replies, kit.limiter, limits), InvitesApi(invitations, rooms)]
    return Built(fronts=[admission, invitations], apis=apis if federation.policy.is_enabled else ())


FEATURE = Feature(name="federation.admission", build=build, package=__name__, apis=(AdmissionApi, InvitesApi))
