"""What administrators see of other servers: which answer, which do not, and trying one again at once."""

from synapse_like.features.federation_admin.api import DestinationsApi
from synapse_like.features.federation_admin.logic import Destinations
from synapse_like.federation.outbound import Backoffs
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE"]


def build(kit: Kit, rooms: Rooms, backoffs: Backoffs) -> Built:
    """The endpoints."""
    return Built(apis=[DestinationsApi(Destinations(kit.database, rooms, backoffs))])


FEATURE = Feature(name="federation_admin", build=build, package=__name__, apis=(DestinationsApi,))
