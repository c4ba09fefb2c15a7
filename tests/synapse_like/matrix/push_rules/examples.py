"""Random rules, events and members in which things meet often; not tests themselves."""

from itertools import product
from typing import Any

from hypothesis import strategies as st

from synapse_like.matrix.events import Event
from synapse_like.matrix.push_rules import EventView, RoomContext, RuleKind, Ruleset
from synapse_like.matrix.room_versions import room_version

ROOM = "!room:example.org"
OTHER_ROOM = "!other:example.org"
USERS = ("@alice:example.org", "@bob:example.org", "@Carol:example.org", "@dave:elsewhere.org")
NAMES = (None, "Alice", "Bob B", "c++", "x")
BODY_PARTS = (
    "cake",
    "tea",
    "Tea",
    "cakes",
    "c++",
    "привет",
    "ex",
    "ple",
    " ",
    "-",
    "alice",
    "room",
    "@room",
    "_",
    "🎉",
    "Bob B",
)
PATTERNS = ("cake", "tea", "c++", "ex*ple", "*", "?ea", "привет", "tea cake", "🎉", "Bob B", "b?b*", "")
TYPES = (
    "m.room.message",
    "m.room.encrypted",
    "m.reaction",
    "m.room.member",
    "m.room.tombstone",
    "m.room.topic",
    "m.call.invite",
)
KEYS = (
    "type",
    "sender",
    "state_key",
    "room_id",
    "content.body",
    "content.msgtype",
    "content.membership",
    "content.m\\.mentions.room",
    "content.m\\.mentions.user_ids",
    "content.count",
)
TEXTS = (
    *TYPES,
    *USERS,
    ROOM,
    OTHER_ROOM,
    "m.text",
    "m.notice",
    "invite",
    "",
    "m.*",
    "*",
    "*e",
    "M.ROOM.MESSAGE",
    "?otice",
)
SCALARS = (*TEXTS, True, False, None, 0, 1, 2**60)


def event(content: dict[str, Any] | None = None, **fields: Any) -> Event:
    """Return a message of Bob, unless said otherwise."""
    pdu = {
        "type": "m.room.message",
        "sender": "@bob:example.org",
        "room_id": ROOM,
        "content": {"msgtype": "m.text", "body": "hello"} if content is None else content,
        "origin_server_ts": 1,
        "depth": 1,
        "prev_events": [],
        "auth_events": [],
        **fields,
    }
    return Event.restored("$event", pdu, room_version("11"))


def view(content: dict[str, Any] | None = None, **fields: Any) -> EventView:
    """Return the view of such an event."""
    return EventView(event(content, **fields))


def _contents() -> st.SearchStrategy[dict[str, Any]]:
    mentions = st.fixed_dictionaries(
        {},
        optional={
            "user_ids": st.lists(st.sampled_from((*USERS, 1, None)), max_size=3),
            "room": st.sampled_from((True, 1, "yes")),
        },
    )
    relation = st.fixed_dictionaries({"rel_type": st.sampled_from(("m.replace", "m.thread"))})
    return st.fixed_dictionaries(
        {},
        optional={
            "body": st.lists(st.sampled_from(BODY_PARTS), max_size=5).map("".join) | st.just(7),
            "msgtype": st.sampled_from(("m.text", "m.notice", "M.Notice")),
            "membership": st.sampled_from(("invite", "join")),
            "m.mentions": mentions,
            "m.relates_to": relation,
            "count": st.sampled_from((True, 1, 0, None, [1], [True, "m.text"])),
        },
    )


def views() -> st.SearchStrategy[EventView]:
    """Events of the types that default rules know, and of one that they do not."""
    return st.builds(
        lambda content, key, **fields: view(content, **fields, **({} if key is None else {"state_key": key})),
        _contents(),
        st.sampled_from((None, "", *USERS)),
        type=st.sampled_from(TYPES),
        sender=st.sampled_from(USERS),
        room_id=st.sampled_from((ROOM, ROOM, ROOM, OTHER_ROOM)),
    )


def room_contexts() -> st.SearchStrategy[RoomContext]:
    """Small and large rooms, senders with and without power."""
    return st.builds(RoomContext, st.sampled_from((1, 2, 3, 10, 11, 1000)), st.sampled_from((0, 50, float("inf"))))


def _conditions() -> st.SearchStrategy[dict[str, Any]]:
    key, texts = st.sampled_from(KEYS), st.sampled_from((*PATTERNS, *TEXTS))
    return st.one_of(
        st.fixed_dictionaries({"kind": st.just("event_match"), "key": key, "pattern": texts}),
        st.fixed_dictionaries({"kind": st.just("event_match"), "key": st.just("content.body"), "pattern": texts}),
        st.fixed_dictionaries({"kind": st.just("event_property_is"), "key": key, "value": st.sampled_from(SCALARS)}),
        st.fixed_dictionaries(
            {"kind": st.just("event_property_contains"), "key": key, "value": st.sampled_from(SCALARS)}
        ),
        st.fixed_dictionaries(
            {"kind": st.just("room_member_count"), "is": st.sampled_from(("2", "<3", ">=10", "<=11", "x"))}
        ),
        st.fixed_dictionaries(
            {"kind": st.just("sender_notification_permission"), "key": st.sampled_from(("room", "x"))}
        ),
        st.just({"kind": "contains_display_name"}),
        st.just({"kind": "org.example.unknown"}),
    )


ACTIONS = st.sampled_from(
    (
        [],
        ["notify"],
        ["notify", {"set_tweak": "highlight"}],
        ["notify", {"set_tweak": "highlight", "value": False}, {"set_tweak": "sound", "value": "bing"}],
        [{"set_tweak": "highlight"}],
        ["dont_notify"],
    )
)


def _own_rules() -> st.SearchStrategy[tuple[RuleKind, str, dict[str, Any]]]:
    conditions = st.lists(_conditions(), max_size=2)
    return st.one_of(
        st.tuples(
            st.sampled_from((RuleKind.OVERRIDE, RuleKind.UNDERRIDE)),
            st.sampled_from(("one", "two", "three")),
            st.fixed_dictionaries({"actions": ACTIONS, "conditions": conditions}),
        ),
        st.tuples(
            st.just(RuleKind.CONTENT),
            st.sampled_from(("one", "two")),
            st.fixed_dictionaries({"actions": ACTIONS, "pattern": st.sampled_from([p for p in PATTERNS if p])}),
        ),
        st.tuples(
            st.just(RuleKind.ROOM), st.sampled_from((ROOM, OTHER_ROOM)), st.fixed_dictionaries({"actions": ACTIONS})
        ),
        st.tuples(st.just(RuleKind.SENDER), st.sampled_from(USERS), st.fixed_dictionaries({"actions": ACTIONS})),
    )


def grid() -> list[EventView]:
    """Events in which every pattern, key and value of this file occurs, alone and together with others."""
    texts: list[dict[str, Any]] = [
        {"msgtype": "m.text", "body": "".join(parts)} for parts in product(BODY_PARTS, repeat=2)
    ]
    odd: list[dict[str, Any]] = [
        {},
        {"msgtype": "m.notice", "body": "tea"},
        {"msgtype": "M.Notice", "body": 7},
        {"body": "tea", "m.relates_to": {"rel_type": "m.replace"}},
        {"count": True},
        {"count": 1, "membership": "invite"},
        {"count": None, "body": "x"},
        {"count": [1, True, "m.text"]},
        {"m.mentions": {"room": True}},
        {"m.mentions": {"room": 1, "user_ids": [*USERS, 1, None]}, "body": "tea cake"},
    ]
    found = [view(content) for content in texts]
    for event_type, key, content in product(TYPES, (None, "", USERS[0], USERS[2]), odd):
        fields = {} if key is None else {"state_key": key}
        found.append(view(content, type=event_type, sender=USERS[len(found) % len(USERS)], **fields))
    return found


DEFAULT_IDS = tuple((rule.kind, rule.rule_id) for kind in RuleKind for rule in Ruleset.default().rules(kind))


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    """Default rulesets after some edits: few enough that their effects do not drown each other."""
    ruleset = Ruleset.default()
    for kind, rule_id, body in draw(st.lists(_own_rules(), max_size=4)):
        ruleset = ruleset.add(kind, rule_id, body)
    for kind, rule_id in draw(st.lists(st.sampled_from(DEFAULT_IDS), max_size=3)):
        if draw(st.booleans()):
            ruleset = ruleset.enable(kind, rule_id, draw(st.booleans()))
        else:
            ruleset = ruleset.set_actions(kind, rule_id, draw(ACTIONS))
    return ruleset
