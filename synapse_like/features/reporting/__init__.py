"""Reports of events, rooms and users to the administrators of this server, kept in a table. `Reports` is the front."""

from synapse_like.features.reporting.api import ReportingApi
from synapse_like.features.reporting.logic import Reports
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.config.rate_limits import RateLimits
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Reports"]


def build(kit: Kit, rooms: Rooms) -> Built:
    """Put the feature together."""
    reports = Reports(rooms, kit.database, kit.clock, kit.limiter, kit.config[RateLimits].rc_reports)
    return Built(fronts=(reports,), apis=(ReportingApi(reports),))


FEATURE = Feature(name="reporting", build=build, package=__name__, apis=(ReportingApi,))
