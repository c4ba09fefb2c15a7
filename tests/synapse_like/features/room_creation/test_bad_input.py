"""Whatever a client sends to what changes rooms: a Matrix error or success, never a fault of the server."""

from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.homeserver import TestServer
from tests.kit.room_features import house

__all__ = ["house"]

ROOM = "<room>"
_TEXTS = st.one_of(
    st.sampled_from(["", "\0", "@bob:test", "@:", "@bob:elsewhere", "#a:test", "!x:test", "$x", "m.room.member", "*"]),
    st.text(max_size=20),
    st.just("x" * 300),
)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), _TEXTS)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3), max_leaves=8
)
_TYPES = st.sampled_from(
    [
        "m.room.member",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.canonical_alias",
        "m.room.server_acl",
        "m.room.name",
        "m.room.guest_access",
        "m.room.history_visibility",
        "m.room.tombstone",
        "m.room.third_party_invite",
        "m.space.child",
        "org.example",
    ]
)
_KEYS = {
    "m.room.member": ["membership", "displayname", "avatar_url", "third_party_invite", "reason"],
    "m.room.power_levels": ["users", "events", "users_default", "ban", "notifications"],
    "m.room.join_rules": ["join_rule", "allow"],
    "m.room.canonical_alias": ["alias", "alt_aliases"],
    "m.room.server_acl": ["allow", "deny"],
}
_MEMBERSHIP = st.sampled_from(["join", "invite", "leave", "ban", "knock"])


@st.composite
def contents(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Content with the keys that the server looks at, and values that it does not expect."""
    content = draw(st.dictionaries(st.sampled_from(_KEYS.get(kind, ["name", "x"])), _JSON, max_size=4))
    if kind == "m.room.member":
        content["membership"] = draw(st.one_of(_MEMBERSHIP, _JSON))
    return content


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, Any]:
    """(method, path, body) of one of the endpoints."""
    kind = draw(_TYPES)
    which = draw(st.sampled_from(["state", "send", "create", "act", "alias", "list", "report", "upgrade", "join"]))
    if which == "state":
        key = draw(st.one_of(st.just(""), _TEXTS))
        return "PUT", f"/rooms/{ROOM}/state/{kind}/{quote(key, safe='')}", draw(contents(kind))
    if which == "send":
        relation = {"rel_type": "m.annotation", "event_id": draw(_JSON), "key": draw(_JSON)}
        content: dict[str, Any] = draw(st.sampled_from([{}, {"m.relates_to": relation}, {"redacts": draw(_JSON)}]))
        event_type = draw(st.sampled_from([kind, "m.reaction", "m.room.redaction", "m.room.message"]))
        return "PUT", f"/rooms/{ROOM}/send/{event_type}/{draw(st.integers(0, 10**9))}", content | draw(contents(kind))
    if which == "create":
        names = ["invite", "name", "topic", "room_alias_name", "creation_content", "power_level_content_override"]
        body = draw(st.dictionaries(st.sampled_from([*names, "preset", "room_version"]), _JSON, max_size=3))
        state = {"type": draw(st.one_of(_TYPES, _TEXTS)), "state_key": draw(_TEXTS), "content": draw(contents(kind))}
        return "POST", "/createRoom", {"initial_state": [state], **body}
    if which == "act":
        act = draw(st.sampled_from(["invite", "kick", "ban", "unban", "leave", "forget", "join"]))
        body = {"user_id": draw(st.one_of(_TEXTS, _JSON)), "reason": draw(_LEAVES)}
        return "POST", f"/rooms/{draw(st.sampled_from([ROOM, '!x:test', '%00', 'x']))}/{act}", body
    if which == "alias":
        method = draw(st.sampled_from(["PUT", "GET", "DELETE"]))
        return method, f"/directory/room/{quote(draw(_TEXTS), safe='')}", {"room_id": draw(_TEXTS)}
    if which == "list":
        body = {"limit": draw(_LEAVES), "since": draw(_LEAVES), "filter": {"room_types": draw(_JSON)}}
        return "POST", "/publicRooms", draw(st.sampled_from([body, {"filter": {"generic_search_term": draw(_LEAVES)}}]))
    if which == "report":
        return "POST", f"/rooms/{ROOM}/report/{quote(draw(_TEXTS), safe='')}", {"reason": draw(_LEAVES)}
    if which == "upgrade":
        version = draw(st.sampled_from(["12", "11", "", "x"]))
        return "POST", f"/rooms/{ROOM}/upgrade", {"new_version": version, "additional_creators": draw(_JSON)}
    proof = {"token": draw(_JSON), "mxid": draw(_JSON), "signatures": draw(_JSON)}
    target = draw(st.one_of(_TEXTS, st.just(ROOM)))
    return "POST", f"/join/{target if target == ROOM else quote(target, safe='')}", {"third_party_signed": proof}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(requests(), min_size=1, max_size=8))
async def test_bad_input_is_answered(house: TestServer, orders: list[tuple[str, str, Any]]) -> None:
    room_id = await house.create_room("alice")
    for method, path, body in orders:
        answer = await house.request(method, path.replace(ROOM, room_id), body, token="alice")
        is_of_another_server = answer.status == 502 and "elsewhere" in answer.body["error"]  # nobody is there
        assert answer.status < 500 or is_of_another_server, (method, path, body, answer.body)
        assert answer.status == 200 or answer.body["errcode"].startswith("M_")
