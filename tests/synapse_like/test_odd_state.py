"""State events whose content is not what the specification describes: rooms allow much, and no reader may stumble."""

import logging
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.kit import reactor
from tests.kit.homeserver import TestServer
from tests.synapse_like.test_bad_input import check_answer

FIELDS = {
    "m.room.name": ["name"],
    "m.room.topic": ["topic", "m.topic"],
    "m.room.avatar": ["url", "info"],
    "m.room.canonical_alias": ["alias", "alt_aliases"],
    "m.room.join_rules": ["join_rule", "allow"],
    "m.room.history_visibility": ["history_visibility"],
    "m.room.guest_access": ["guest_access"],
    "m.room.encryption": ["algorithm"],
    "m.room.tombstone": ["body", "replacement_room"],
    "m.room.power_levels": ["users_default", "events", "events_default", "state_default", "notifications", "invite"],
    "m.room.member": ["displayname", "avatar_url", "reason", "is_direct", "third_party_invite"],
    "m.room.pinned_events": ["pinned"],
    "m.room.server_acl": ["allow", "deny", "allow_ip_literals"],
    "m.room.third_party_invite": ["display_name", "public_key", "public_keys", "key_validity_url"],
    "m.space.child": ["via", "order", "suggested"],
    "org.example.any": ["x"],
}
VERSIONS = ("1", "5", "6", "9", "10", "11", "12")

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 101), st.sampled_from([2**53 - 1, 1 - 2**53]), st.text(max_size=3),
    st.sampled_from(["public", "knock", "restricted", "world_readable", "shared", "100", " +1_0", "m.room_membership"]),
    st.sampled_from(["#x:test", "!x:test", "@x:test", "mxc://a/b", "can_join", "\x00", "a" * 300]),
)  # fmt: skip
names = st.sampled_from(["type", "room_id", "mimetype", "m.text", "body", "room", "@x:test", "m.room.name", ""])
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


@st.composite
def odd_events(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A type of state and a content with its fields, of any shape."""
    event_type = draw(st.sampled_from(sorted(FIELDS)))
    content = draw(st.dictionaries(st.sampled_from(FIELDS[event_type]), values, min_size=1, max_size=3))
    if event_type == "m.room.member":
        content["membership"] = "join"
    return event_type, content


def reads(room_id: str, user_id: str, event_id: str, since: str) -> list[tuple[str, str, Any]]:
    """Requests that look at a room's state in one way or another."""
    room = f"/rooms/{quote(room_id)}"
    return [
        ("GET", f"/sync?timeout=0&since={since}", None),
        ("GET", f"/sync?timeout=0&since={since}&use_state_after=true", None),
        ("GET", "/sync?timeout=0&full_state=true", None),
        ("GET", "/initialSync", None),
        ("GET", f"{room}/initialSync", None),
        ("GET", f"{room}/state", None),
        ("GET", f"{room}/members", None),
        ("GET", f"{room}/joined_members", None),
        ("GET", f"{room}/aliases", None),
        ("GET", f"{room}/messages?dir=b", None),
        ("GET", f"{room}/context/{quote(event_id)}?limit=5", None),
        ("GET", "/publicRooms", None),
        ("POST", "/publicRooms", {"filter": {"generic_search_term": "a"}}),
        ("GET", f"/profile/{user_id}", None),
        ("PUT", f"{room}/state/m.room.topic", {"topic": "news"}),
        ("PUT", f"{room}/send/m.room.message/{quote(event_id)}", {"msgtype": "m.text", "body": "@room hello"}),
        ("POST", f"{room}/invite", {"user_id": "@carol:test"}),
        ("POST", f"{room}/leave", {}),
        ("POST", f"{room}/join", {}),
        ("POST", f"/knock/{quote(room_id)}", {}),
    ]


@pytest.mark.timeout(120)
def test_odd_state_harms_no_reader(server: TestServer, caplog: pytest.LogCaptureFixture) -> None:
    is_sqlite = server.homeserver.kit.database.engine.name == "sqlite"
    run = partial(reactor.run, timeout_seconds=20.0)
    alice, bob, _ = (run(server.register(name)) for name in ("alice", "bob", "carol"))

    @settings(
        max_examples=60 if is_sqlite else 15,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @example("12", [("m.room.power_levels", {"events": {"": 2**53 - 1}})])
    @given(st.sampled_from(VERSIONS), st.lists(odd_events(), min_size=1, max_size=4))
    def look(version: str, odd: list[tuple[str, dict[str, Any]]]) -> None:
        caplog.clear()
        run(_look(server, (alice, bob), version, odd))
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
        assert [(record.getMessage(), record.exc_text) for record in errors] == []

    look()


async def _look(
    server: TestServer, tokens: tuple[str, str], version: str, odd: list[tuple[str, dict[str, Any]]]
) -> None:
    alice, bob = tokens
    room_id = await server.create_room(alice, preset="public_chat", visibility="public", room_version=version)
    await server.join(bob, room_id)
    since = (await server.sync(bob))["next_batch"]
    event_id = await server.send(bob, room_id, transaction=room_id)
    for event_type, content in odd:
        key = "@alice:test" if event_type == "m.room.member" else ""
        path = f"/rooms/{quote(room_id)}/state/{event_type}/{key}"
        check_answer(await server.request("PUT", path, content, token=alice))
    for token in (bob, alice):
        for method, path, body in reads(room_id, "@alice:test", event_id, since):
            check_answer(await server.request(method, path, body, token=token))
    for token in tokens:
        await server.request("POST", f"/rooms/{quote(room_id)}/leave", {}, token=token)
        await server.request("POST", f"/rooms/{quote(room_id)}/forget", {}, token=token)
