"""Turns windows into the parts of the response: filters, client formats, transaction ids, places."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import orjson

from synapse_like.matrix.client_format import ClientJSON
from synapse_like.matrix.filters import RoomEventFilter, select_fields
from synapse_like.rooms.event_store import StoredEvent
from synapse_like.rooms.places import Place
from synapse_like.sync.section import SyncContext
from synapse_like.sync.window import Window

MembershipAt = Callable[[StoredEvent], str]


def wanted(context: SyncContext, events: Iterable[StoredEvent], chosen: RoomEventFilter) -> list[StoredEvent]:
    """The events that the filter and the user's ignore list let through. State of ignored users is kept."""
    ignored = context.ignored_users
    if chosen.is_everything and not ignored:
        return list(events)
    return [
        event
        for event in events
        if (chosen.is_everything or chosen.allows(event.event))
        and (event.event.is_state or event.event.sender not in ignored)
    ]


def rendered(
    context: SyncContext,
    events: Sequence[StoredEvent],
    membership_at: MembershipAt,
    transaction_ids: Mapping[str, str],
) -> list[bytes]:
    """Events as this client gets them."""
    if context.filter.has_federation_format or context.filter.event_fields is not None:
        return [_unusual(context, event, membership_at, transaction_ids) for event in events]
    return [
        event.render(
            context.now_ms,
            transaction_id=_transaction_id(context, event, transaction_ids),
            membership=membership_at(event),
        )
        for event in events
    ]


def _transaction_id(context: SyncContext, event: StoredEvent, known: Mapping[str, str]) -> str | None:
    """The transaction id, for the device that sent the event."""
    if event.transaction is not None:
        user_id, device_id, transaction_id = event.transaction
        requester = context.requester
        return transaction_id if (user_id, device_id) == (requester.user_id, requester.device_id) else None
    return known.get(event.event_id)


def _unusual(context: SyncContext, event: StoredEvent, membership_at: MembershipAt, known: Mapping[str, str]) -> bytes:
    """An event in federation format, or with some of its fields only."""
    client = ClientJSON.in_federation_format(event.event) if context.filter.has_federation_format else event.client
    text = client.splice(
        context.now_ms,
        transaction_id=_transaction_id(context, event, known),
        membership=membership_at(event),
    )
    if context.filter.event_fields is None:
        return text
    return orjson.dumps(select_fields(orjson.loads(text), context.filter.event_fields))


def prev_batch(shown: Window, end: Place) -> str:
    """The place before the timeline's first event, or `end` if it is empty."""
    if not shown.timeline:
        return end.encode()
    return Place(*shown.timeline[0].place).encode()
