"""Whatever stands in the content of events, the rules say yes or no and do nothing else."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.auth_rules import auth_keys_of, check_auth, check_auth_event_choice
from synapse_like.matrix.errors import AuthError
from tests.synapse_like.matrix.auth_rules.room_kit import ALICE, ALL, BOB, CREATOR, make_event, make_room

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([ALICE, BOB, "tok"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
SIGNED = st.fixed_dictionaries(
    {}, optional={"mxid": st.just(BOB), "token": st.just("tok"), "signatures": JSON, "x": JSON}
)
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        "membership": st.sampled_from(["join", "leave", "invite", "ban", "knock"]) | JSON,
        "third_party_invite": st.fixed_dictionaries({"signed": SIGNED}) | JSON,
        "public_keys": JSON,
        "public_key": JSON,
        "join_authorised_via_users_server": JSON,
        "join_rule": st.sampled_from(["restricted", "public"]) | JSON,
        "users": JSON | st.dictionaries(st.sampled_from([ALICE, BOB]), JSON),
        "events": JSON,
        "notifications": JSON,
        "ban": JSON,
        "users_default": JSON,
        "additional_creators": JSON,
        "creator": JSON,
        "room_version": JSON,
        "m.federate": JSON,
        "redacts": JSON,
    },
)
TYPES = ["create", "member", "power_levels", "join_rules", "third_party_invite", "redaction", "aliases", "message"]
KEYS = st.sampled_from(["", ALICE, BOB, "tok", "b"])


@given(
    number=st.sampled_from(ALL),
    event_type=st.sampled_from(TYPES),
    sender=st.sampled_from([CREATOR, ALICE, BOB]),
    state_key=KEYS,
    content=CONTENTS,
    state=st.lists(st.tuples(st.sampled_from(TYPES[1:5]), KEYS, CONTENTS), max_size=4),
    create=CONTENTS,
)
def test_only_auth_errors(
    number: int,
    event_type: str,
    sender: str,
    state_key: str,
    content: dict[str, Any],
    state: list[tuple[str, str, dict[str, Any]]],
    create: dict[str, Any],
) -> None:
    more = tuple(make_event(number, f"m.room.{name}", ALICE, found, state_key=key) for name, key, found in state)
    room = make_room(number, members={ALICE: "join"}, create=create, more=more)
    room.update({event.key: event for event in more})
    event = make_event(number, f"m.room.{event_type}", sender, content, state_key=state_key)
    with contextlib.suppress(AuthError):
        check_auth(event, room)
    with contextlib.suppress(AuthError):
        check_auth_event_choice(event, room.values())
    assert all(isinstance(part, str) for key in auth_keys_of(event) for part in key)
