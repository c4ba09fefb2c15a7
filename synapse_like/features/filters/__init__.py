"""Filters that clients store and name in /sync and elsewhere. What a filter means is in `synapse_like.matrix.filters`;
who obeys it, is not here.
"""

from synapse_like.features.filters.api import FiltersApi
from synapse_like.features.filters.logic import Filters
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["FEATURE", "Filters"]


def build(kit: Kit) -> Built:
    """The filters and their endpoints."""
    filters = Filters(kit.database)
    return Built(fronts=[filters], apis=[FiltersApi(filters)])


FEATURE = Feature(name="filters", build=build, package=__name__, apis=(FiltersApi,))
