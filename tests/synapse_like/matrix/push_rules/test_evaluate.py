"""What the rules say about one event for one member, as the specification has it."""

from typing import Any

import pytest

from synapse_like.matrix.push_rules import Actions, EventView, PushMember, RoomContext, RuleKind, Ruleset, evaluate
from tests.synapse_like.matrix.push_rules.examples import OTHER_ROOM, ROOM, view

ALICE = "@alice:example.org"
NOTHING, NOTIFY, LOUD = (False, False, None), (True, False, None), (True, False, "default")
HIGHLIGHT, LOUD_HIGHLIGHT = (True, True, None), (True, True, "default")


def _said(
    ruleset: Ruleset, seen: EventView, room: RoomContext, name: str | None = None
) -> tuple[bool, bool, str | None]:
    actions = evaluate(ruleset, seen, room, PushMember(ALICE, name))
    return actions.notify, actions.highlight, actions.sound


@pytest.mark.parametrize(
    ("fields", "content", "members", "expected"),
    [
        ({}, {"msgtype": "m.text", "body": "hi"}, 3, NOTIFY),
        ({}, {"msgtype": "m.text", "body": "hi"}, 2, LOUD),
        ({}, {"msgtype": "m.text", "body": "alice: hi"}, 3, NOTIFY),
        ({}, {"msgtype": "m.notice", "body": "hi"}, 2, NOTHING),
        ({}, {"body": "hi", "m.mentions": {"user_ids": [ALICE]}}, 3, LOUD_HIGHLIGHT),
        ({}, {"body": "hi", "m.mentions": {"user_ids": ALICE}}, 3, NOTIFY),
        ({}, {"body": "hi", "m.mentions": {"room": True}}, 3, HIGHLIGHT),
        ({}, {"body": "hi", "m.mentions": {"room": 1}}, 3, NOTIFY),
        ({}, {"body": "* hi", "m.relates_to": {"rel_type": "m.replace"}}, 3, NOTHING),
        ({"type": "m.room.encrypted"}, {"ciphertext": "x"}, 3, NOTIFY),
        ({"type": "m.room.encrypted"}, {"ciphertext": "x"}, 2, LOUD),
        ({"type": "m.call.invite"}, {}, 3, (True, False, "ring")),
        ({"type": "m.reaction"}, {}, 2, NOTHING),
        ({"type": "m.room.topic", "state_key": ""}, {"topic": "x"}, 2, NOTHING),
        ({"type": "m.room.tombstone", "state_key": ""}, {}, 3, HIGHLIGHT),
        ({"type": "m.room.tombstone"}, {}, 3, NOTHING),
        ({"type": "m.room.member", "state_key": ALICE}, {"membership": "invite"}, 3, LOUD),
        ({"type": "m.room.member", "state_key": "@carol:x"}, {"membership": "invite"}, 3, NOTHING),
        ({"type": "m.room.member", "state_key": ALICE}, {"membership": "join"}, 3, NOTHING),
        ({"sender": ALICE}, {"msgtype": "m.text", "body": "mine", "m.mentions": {"user_ids": [ALICE]}}, 2, NOTHING),
    ],
)
def test_the_default_rules(fields: Any, content: dict[str, Any], members: int, expected: object) -> None:
    assert _said(Ruleset.default(), view(content, **fields), RoomContext(members, 50)) == expected


def test_mentioning_everyone_takes_power() -> None:
    seen = view({"body": "hi", "m.mentions": {"room": True}})
    assert _said(Ruleset.default(), seen, RoomContext(3, 49)) == NOTIFY
    assert _said(Ruleset.default(), seen, RoomContext(3, 0, lambda kind: 0)) == HIGHLIGHT
    assert _said(Ruleset.default(), seen, RoomContext(3, float("inf"), lambda kind: 2**60)) == HIGHLIGHT


def _matches(condition: dict[str, Any], seen: EventView, members: int = 3, name: str | None = None) -> bool:
    actions = ["notify", {"set_tweak": "sound", "value": "mine"}]
    ruleset = Ruleset.default().add(RuleKind.OVERRIDE, "mine", {"actions": actions, "conditions": [condition]})
    return _said(ruleset, seen, RoomContext(members, 20), name)[2] == "mine"


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("lunc?*", "Lunch plans", True),
        ("lunc?*", "LUNCH", True),
        ("lunc?*", " lunch", False),
        ("lunc?*", "lunc", False),
        ("*", None, False),
        ("*", 7, False),
        ("", "", True),
        ("LUNCH", "lunch", True),
    ],
)
def test_a_glob_covers_a_whole_value_in_any_case(pattern: str, topic: object, expected: bool) -> None:
    seen = view({"topic": topic})
    assert _matches({"kind": "event_match", "key": "content.topic", "pattern": pattern}, seen) is expected


@pytest.mark.parametrize(
    ("value", "in_event", "expected"),
    [
        (True, True, True),
        (True, 1, False),
        (True, "true", False),
        (1, 1, True),
        (1, 1.0, False),
        (None, None, True),
        ("a", "A", False),
        (2**53, 2**53, False),
        ([1], [1], False),
        ({}, {}, False),
    ],
)
def test_a_value_is_exact_in_type_too(value: object, in_event: object, expected: bool) -> None:
    seen = view({"m.federate": in_event})
    assert _matches({"kind": "event_property_is", "key": "content.m\\.federate", "value": value}, seen) is expected


def test_a_missing_property_is_not_null() -> None:
    assert not _matches({"kind": "event_property_is", "key": "content.gone", "value": None}, view({}))


@pytest.mark.parametrize(
    ("value", "elements", "expected"),
    [
        ("a", ["b", "a"], True),
        ("a", ["ab", "A"], False),
        ("a", "a", False),
        (1, [True], False),
        (1, [[1], {}, 1], True),
        (None, [None], True),
    ],
)
def test_an_array_contains_exact_values(value: object, elements: object, expected: bool) -> None:
    seen = view({"list": elements})
    assert _matches({"kind": "event_property_contains", "key": "content.list", "value": value}, seen) is expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("3", True),
        ("==3", True),
        ("<3", False),
        ("<=3", True),
        (">=4", False),
        (">2", True),
        ("=3", False),
        ("", False),
    ],
)
def test_the_number_of_members(limit: str, expected: bool) -> None:
    assert _matches({"kind": "room_member_count", "is": limit}, view(), members=3) is expected


def test_a_display_name_is_looked_for_as_it_is() -> None:
    condition = {"kind": "contains_display_name"}
    assert _matches(condition, view({"body": "hello ALICE*!"}), name="Alice*")
    assert not _matches(condition, view({"body": "hello alices"}), name="Alice*")
    assert not _matches(condition, view({"body": "hello"}), name=None)
    assert not _matches(condition, view({}), name="Alice")
    assert not _matches(condition, view({"body": "hello"}), name="")


@pytest.mark.parametrize(
    "condition",
    [
        {"kind": "org.example.unknown"},
        {"kind": "event_match", "key": "type"},
        {"kind": "event_match", "pattern": "*"},
        {"kind": "event_property_is", "key": "type"},
        {"kind": "room_member_count"},
        {"kind": "sender_notification_permission"},
    ],
)
def test_what_is_unknown_or_not_whole_never_holds(condition: dict[str, Any]) -> None:
    assert not _matches(condition, view())


def test_kinds_are_asked_in_their_order() -> None:
    seen, room = view({"msgtype": "m.text", "body": "more cake"}), RoomContext(3)

    def sounding(sound: str) -> list[Any]:
        return ["notify", {"set_tweak": "sound", "value": sound}]

    ruleset = Ruleset.default()
    for kind, rule_id in (
        (RuleKind.UNDERRIDE, "u"),
        (RuleKind.SENDER, "@bob:example.org"),
        (RuleKind.ROOM, ROOM),
        (RuleKind.CONTENT, "c"),
        (RuleKind.OVERRIDE, "o"),
    ):
        ruleset = ruleset.add(kind, rule_id, {"actions": sounding(kind.value), "pattern": "CAKE"})
        assert _said(ruleset, seen, room) == (True, False, kind.value)
    ruleset = ruleset.enable(RuleKind.OVERRIDE, ".m.rule.master", True)
    assert _said(ruleset, seen, room) == NOTHING


def test_rules_of_rooms_and_senders_are_for_these_only() -> None:
    ruleset = Ruleset.default().add(RuleKind.ROOM, OTHER_ROOM, {"actions": []})
    ruleset = ruleset.add(RuleKind.SENDER, "@carol:example.org", {"actions": []})
    assert _said(ruleset, view(), RoomContext(3)) == NOTIFY
    assert _said(ruleset, view(room_id=OTHER_ROOM), RoomContext(3)) == NOTHING
    assert _said(ruleset, view(sender="@carol:example.org"), RoomContext(3)) == NOTHING


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([], Actions()),
        (["dont_notify", "coalesce"], Actions()),
        ([{"set_tweak": "highlight"}], Actions()),
        (["notify", {"set_tweak": "highlight", "value": False}], Actions(True, tweaks={"highlight": False})),
        (["notify", {"set_tweak": "sound", "value": 1}], Actions(True, tweaks={"sound": 1})),
        (["notify", {"set_tweak": "x.flash"}], Actions(True, tweaks={"x.flash": None})),
    ],
)
def test_actions_are_understood(actions: list[Any], expected: Actions) -> None:
    ruleset = Ruleset.default().add(RuleKind.OVERRIDE, "mine", {"actions": actions})
    assert evaluate(ruleset, view(), RoomContext(3), PushMember(ALICE)) == expected
