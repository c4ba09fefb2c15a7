"""Cutting a page out of the events that were read. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from synapse_like.matrix.filters import RoomEventFilter
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.places import END, Place
from synapse_like.rooms.sql.timeline import Wanted
from synapse_like.rooms.timeline import START, place_after

MAX_SCAN = 1001
"""How many events are read for one page where only looking at them tells whether they are wanted."""
_GENEROSITY = 10
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Page:
    """A page, in its direction. `end` is where the next one begins; None: there is no next one."""

    events: list[StoredEvent]
    start: Place
    end: Place | None


def wanted_of(chosen: RoomEventFilter, limit: int, ignored: frozenset[str]) -> tuple[Wanted, int]:
    """What of a filter the database can tell, and how many events to read for `limit` that are shown: one more, to
    know whether there are more; many more where the rest of the filter has to be asked event by event.
    """
    exact = _without_patterns(chosen.types)
    wanted = Wanted(
        types=None if exact is None else _storable(exact),
        not_types=_storable(name for name in chosen.not_types if "*" not in name),
        senders=None if chosen.senders is None else _storable(chosen.senders),
        not_senders=_storable(chosen.not_senders),
        ignored=_storable(ignored),
    )
    is_exact = (exact is not None or chosen.types is None) and not any("*" in name for name in chosen.not_types)
    if is_exact and chosen.contains_url is None:
        return wanted, limit + 1
    return wanted, min(max(limit + 1, limit * _GENEROSITY), MAX_SCAN)


def cut(events: Sequence[StoredEvent], is_shown: Callable[[StoredEvent], bool], limit: int, bound: int) -> Page:
    """The page of events that were read newest first, at most `bound` of them."""
    chosen, passed = _take(events, is_shown, limit)
    start = place_after(events[0]) if events else END
    if passed == len(events) < bound:
        return Page(chosen, start, None)
    return Page(chosen, start, Place(*events[passed - 1].place) if passed else start)


def cut_forward(events: Sequence[StoredEvent], is_shown: Callable[[StoredEvent], bool], limit: int, bound: int) -> Page:
    """The page of events that were read oldest first. A next page is offered as long as this one shows anything:
    more may come.
    """
    chosen, passed = _take(events, is_shown, limit)
    start = Place(*events[0].place) if events else START
    if passed == len(events) < bound and not chosen:
        return Page(chosen, start, None)
    return Page(chosen, start, place_after(events[passed - 1]) if passed else start)


def _take(
    events: Sequence[StoredEvent], is_shown: Callable[[StoredEvent], bool], limit: int
) -> tuple[list[StoredEvent], int]:
    """The first `limit` events that are shown, and how many were passed until then."""
    chosen: list[StoredEvent] = []
    for index, event in enumerate(events):
        if len(chosen) == limit:
            return chosen, index
        if is_shown(event):
            chosen.append(event)
    return chosen, len(events)


def _without_patterns(types: Sequence[str] | None) -> Sequence[str] | None:
    return types if types is None or not any("*" in name for name in types) else None


def _storable(names: Iterable[str]) -> list[str]:
    """Those names that a database can hold at all; no event has any other."""
    return sorted(name for name in names if not _UNSTORABLE.search(name))
