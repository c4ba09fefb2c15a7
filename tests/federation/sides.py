"""What walks across the border do again and again: people on either side, waiting, and comparing what both report."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from tests.kit.client import V3, Client

PATIENCE_SECONDS = 40.0
VERSIONS = ("1", "6", "10", "11", "12")
T = TypeVar("T")
_numbers = count(1)


class Side(Protocol):
    """A server on one side of the border."""

    @property
    def server_name(self) -> str:
        """The name that other servers know it by."""

    @property
    def url(self) -> str:
        """Where clients reach it."""

    def register(self, name: str) -> Client:
        """A new user's session."""


@dataclass(frozen=True)
class Border:
    """Who has the room, and who comes from abroad."""

    host: Side
    guest: Side


def person(side: Side, name: str) -> Client:
    """A new user of this side; names do not repeat in a run."""
    return side.register(f"{name}-{os.getpid()}-{next(_numbers)}")


def fresh_name(word: str) -> str:
    """A name for an alias that nobody else has in this run."""
    return f"{word}-{os.getpid()}-{next(_numbers)}"


def eventually(ask: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Ask again and again until the answer is true, and return it; the error shows the last answer or assertion."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            if answer := ask():
                return answer
            last = answer
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what}; at last: {last}")
        time.sleep(0.05)


def room_path(room_id: str, *rest: str) -> str:
    """The path of something in a room."""
    return "/".join([f"{V3}/rooms/{quote(room_id, safe='')}", *(quote(part, safe="") for part in rest)])


def act(client: Client, room_id: str, action: str, user_id: str | None = None, **more: Any) -> None:
    """Invite, kick, ban, unban (whom), leave."""
    body = {**({"user_id": user_id} if user_id else {}), **more}
    client.call("POST", room_path(room_id, action), body)


def join(client: Client, room: str, *via: str) -> str:
    """Join by id or alias over these servers; the room's id."""
    status, reply = try_join(client, room, *via)
    assert status == 200, f"join of {room} over {via}: {status} {reply}"
    return str(reply["room_id"])


def try_join(client: Client, room: str, *via: str) -> tuple[int, Any]:
    """Try to join; status and reply."""
    return client.request("POST", f"{V3}/join/{quote(room, safe='')}{_via(via)}", {})


def knock(client: Client, room: str, *via: str) -> str:
    """Knock at a room over these servers; the room's id."""
    return str(client.call("POST", f"{V3}/knock/{quote(room, safe='')}{_via(via)}", {"reason": "let me in"})["room_id"])


def redact(client: Client, room_id: str, event_id: str) -> str:
    """Redact an event; the redaction's id."""
    path = room_path(room_id, "redact", event_id, f"r{next(_numbers)}")
    return str(client.call("PUT", path, {"reason": "not that"})["event_id"])


def event(client: Client, room_id: str, event_id: str) -> Any:
    """One event, or None if the user's server does not give it."""
    status, reply = client.request("GET", room_path(room_id, "event", event_id))
    return reply if status == 200 else None


def state(client: Client, room_id: str) -> dict[tuple[str, str], str]:
    """The room's whole state: event ids by type and state key."""
    found = client.call("GET", room_path(room_id, "state"))
    return {(each["type"], each["state_key"]): each["event_id"] for each in found}


def content(client: Client, room_id: str, event_type: str, state_key: str = "") -> Any:
    """The content of one piece of state; None if there is none, or the user may not see it."""
    status, reply = client.request("GET", room_path(room_id, "state", event_type, state_key))
    return reply if status == 200 else None


def membership(client: Client, room_id: str, user_id: str) -> str | None:
    """What a room's state says of a user, as this client's server sees it."""
    found = content(client, room_id, "m.room.member", user_id)
    return found.get("membership") if found else None


def wait_for_membership(client: Client, room_id: str, user_id: str, wanted: str | None) -> None:
    """Wait until this client's server says so."""
    eventually(lambda: membership(client, room_id, user_id) == wanted, f"{user_id} being {wanted} for {client.user_id}")


def wait_for_same_state(room_id: str, *clients: Client) -> dict[tuple[str, str], str]:
    """Wait until all of these clients' servers report the same state, and return it."""

    def compare() -> dict[tuple[str, str], str]:
        first, *others = (state(client, room_id) for client in clients)
        for other in others:
            different = {key: (first.get(key), other.get(key)) for key in first.keys() | other.keys()}
            assert not (left := {key: ids for key, ids in different.items() if ids[0] != ids[1]}), left
        return first

    return eventually(compare, f"the same state of {room_id}")


def bodies(client: Client, room_id: str) -> list[str]:
    """The bodies of all messages that a client finds by paging back, oldest first."""
    messages = [each for each in client.history(room_id) if each["type"] == "m.room.message"]
    return [each["content"]["body"] for each in messages if "body" in each["content"]]


def wait_for_bodies(client: Client, room_id: str, wanted: set[str]) -> list[str]:
    """Wait until a client finds all these messages; then each is there once. Returns them in the client's order."""

    def look() -> list[str]:
        found = bodies(client, room_id)
        assert wanted <= set(found), f"missing for {client.user_id}: {sorted(wanted - set(found))[:10]}"
        return found

    found = eventually(look, f"{len(wanted)} messages")
    assert len(found) == len(set(found)), "a message is there twice"
    return found


def invite_of(client: Client, room_id: str) -> Any:
    """The stripped state of an invite that a client has, by type; None if there is none."""
    part = client.sync().get("rooms", {}).get("invite", {}).get(room_id)
    return None if part is None else _by_type(part["invite_state"]["events"])


def knock_of(client: Client, room_id: str) -> Any:
    """The stripped state of a knock that a client has made, by type; None if there is none."""
    part = client.sync().get("rooms", {}).get("knock", {}).get(room_id)
    return None if part is None else _by_type(part["knock_state"]["events"])


def joined_rooms(client: Client) -> list[str]:
    """The rooms that a client's server counts it in."""
    return list(client.call("GET", f"{V3}/joined_rooms")["joined_rooms"])


def syncs(client: Client, since: str | None = None, seconds: float = PATIENCE_SECONDS) -> Iterator[Any]:
    """Long polls, one after the other, until patience ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reply = client.sync(since, timeout_ms=1000)
        since = reply["next_batch"]
        yield reply


def seen(client: Client, since: str | None, look: Callable[[Any], T], what: str) -> T:
    """Sync on from a token until ``look`` finds something in a response, and return it."""
    last: Any = None
    for last in syncs(client, since):
        if found := look(last):
            return found
    raise AssertionError(f"{client.user_id} waited in vain: {what}; last sync: {last}")


def ephemeral(response: Any, room_id: str, event_type: str) -> Any:
    """The content of an ephemeral event of a joined room in a sync response; None if it is not there."""
    events = response.get("rooms", {}).get("join", {}).get(room_id, {}).get("ephemeral", {}).get("events", [])
    return next((each["content"] for each in events if each["type"] == event_type), None)


def _by_type(events: list[Any]) -> dict[str, Any]:
    return {f"{each['type']} {each['state_key']}".strip(): each["content"] for each in events}


def _via(servers: tuple[str, ...]) -> str:
    pairs = [f"{key}={quote(server)}" for server in servers for key in ("server_name", "via")]
    return f"?{'&'.join(pairs)}" if pairs else ""
