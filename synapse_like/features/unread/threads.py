"""Which thread an event is in, and which events say that their sender has read it. Pure.

Source: Client-Server API, "Threading"; "Receiving notifications".
"""

from collections.abc import Mapping
from typing import Any

from synapse_like.matrix.events import Event

MAX_ID_BYTES = 255
_REDACTION = "m.room.redaction"


def thread_of(content: Mapping[str, Any], state_key: str | None) -> str | None:
    """The root of the thread that an event is in; None for the main timeline. State is in no thread."""
    relation = content.get("m.relates_to")
    if state_key is not None or not isinstance(relation, dict) or relation.get("rel_type") != "m.thread":
        return None
    root = relation.get("event_id")
    return root if isinstance(root, str) and _is_event_id(root) else None


def marks_read(event: Event) -> bool:
    """Whether its sender has thereby read the thread up to the event: a message does that.

    State does not, as profile changes come without anybody looking at the room; nor does a redaction.
    """
    return event.state_key is None and event.type != _REDACTION


def _is_event_id(text: str) -> bool:
    return text.startswith("$") and "\0" not in text and len(text.encode()) <= MAX_ID_BYTES
