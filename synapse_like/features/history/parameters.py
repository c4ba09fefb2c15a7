"""Reading the query parameters that these endpoints have in common."""

import json

from synapse_like.matrix.errors import NotJson
from synapse_like.matrix.filters import EVERY_EVENT, RoomEventFilter
from synapse_like.rooms.persist import MAX_TIME_MS
from synapse_like.toolkit.http.query import Query

__all__ = ["MAX_LIMIT", "MAX_TIME_MS", "event_filter", "limit_of"]

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000


def event_filter(query: Query) -> RoomEventFilter:
    """The JSON in `filter`. Raises NotJson, BadJson, InvalidParam, TooLarge."""
    text = query.get("filter")
    if not text:
        return EVERY_EVENT
    try:
        return RoomEventFilter.parse(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise NotJson("The filter is not JSON") from error


def limit_of(query: Query, chosen: RoomEventFilter) -> int:
    """How many events are wanted: by the query, else by the filter."""
    default = DEFAULT_LIMIT if chosen.limit is None else min(chosen.limit, MAX_LIMIT)
    return query.integer("limit", default, minimum=0, maximum=MAX_LIMIT)
