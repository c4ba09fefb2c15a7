"""The set of rules of a user: edits, what clients see, what is stored."""

from typing import Any

import orjson
import pytest
from hypothesis import given

from synapse_like.matrix.errors import BadJson, InvalidParam, MatrixError, MissingParam, NotFound, TooLarge, Unknown
from synapse_like.matrix.push_rules import RuleKind, Ruleset, parse_kind
from synapse_like.matrix.push_rules import ruleset as ruleset_module
from tests.synapse_like.matrix.push_rules.examples import ROOM, rulesets

ALICE = "@alice:example.org"
SILENT: dict[str, Any] = {"actions": []}
ROOM_RULE, OVERRIDE = RuleKind.ROOM, RuleKind.OVERRIDE


def _ids(ruleset: Ruleset, kind: RuleKind) -> list[str]:
    return [rule.rule_id for rule in ruleset.rules(kind)]


def _rooms(*ids: str) -> Ruleset:
    ruleset = Ruleset.default()
    for rule_id in reversed(ids):
        ruleset = ruleset.add(ROOM_RULE, rule_id, SILENT)
    return ruleset


def test_the_defaults_are_those_of_the_specification_in_its_order() -> None:
    names = {
        "override": "master suppress_notices invite_for_me member_event is_user_mention is_room_mention"
        " tombstone reaction room.server_acl suppress_edits",
        "content": "",
        "room": "",
        "sender": "",
        "underride": "call encrypted_room_one_to_one room_one_to_one message encrypted",
    }
    shown = Ruleset.default().to_client_json(ALICE)["global"]
    assert {kind: " ".join(rule["rule_id"].removeprefix(".m.rule.") for rule in shown[kind]) for kind in shown} == names
    rules = [rule for kind in shown for rule in shown[kind]]
    assert all(rule["default"] for rule in rules)
    assert [rule["rule_id"] for rule in rules if not rule["enabled"]] == [".m.rule.master"]


def test_default_rules_name_their_owner() -> None:
    shown = Ruleset.default().to_client_json(ALICE)["global"]["override"]
    assert shown[2]["conditions"][2] == {"kind": "event_match", "key": "state_key", "pattern": ALICE}
    key = "content.m\\.mentions.user_ids"
    assert shown[4]["conditions"] == [{"kind": "event_property_contains", "key": key, "value": ALICE}]


def test_a_rule_is_shown_as_it_was_written() -> None:
    conditions = [
        {"kind": "event_match", "key": "type", "pattern": "X*", "org.example.note": 1},
        {"kind": "org.example"},
    ]
    ruleset = Ruleset.default().add(OVERRIDE, "mine", {"actions": ["notify", "dont_notify"], "conditions": conditions})
    ruleset = ruleset.add(RuleKind.CONTENT, "word", {"actions": ["notify"], "pattern": "CaKe"})
    shown = {"rule_id": "mine", "default": False, "enabled": True, "actions": ["notify"], "conditions": conditions}
    assert ruleset.rule(OVERRIDE, "mine").to_client_json(ALICE) == shown
    shown = {"rule_id": "word", "default": False, "enabled": True, "actions": ["notify"], "pattern": "CaKe"}
    assert ruleset.rule(RuleKind.CONTENT, "word").to_client_json(ALICE) == shown
    shown = {"rule_id": ROOM, "default": False, "enabled": True, "actions": []}
    assert ruleset.add(ROOM_RULE, ROOM, SILENT).rule(ROOM_RULE, ROOM).to_client_json(ALICE) == shown


def test_a_new_rule_comes_first_but_never_before_the_master() -> None:
    ruleset = Ruleset.default().add(OVERRIDE, "one", SILENT).add(OVERRIDE, "two", SILENT)
    assert _ids(ruleset, OVERRIDE)[:4] == [".m.rule.master", "two", "one", ".m.rule.suppress_notices"]


@pytest.mark.parametrize(
    ("rule_id", "place", "expected"),
    [
        ("new", {}, "new a b c"),
        ("new", {"before": "b"}, "a new b c"),
        ("new", {"after": "b"}, "a b new c"),
        ("new", {"after": "c"}, "a b c new"),
        ("new", {"before": "c", "after": "a"}, "a b new c"),
        ("b", {}, "a b c"),
        ("a", {"after": "b"}, "b a c"),
        ("c", {"before": "a"}, "c a b"),
    ],
)
def test_a_rule_is_put_in_its_place(rule_id: str, place: dict[str, str], expected: str) -> None:
    assert " ".join(_ids(_rooms("a", "b", "c").add(ROOM_RULE, rule_id, SILENT, **place), ROOM_RULE)) == expected


@pytest.mark.parametrize("anchor", ["gone", ".m.rule.message", "a"])
def test_a_place_is_next_to_another_rule_of_the_user(anchor: str) -> None:
    with pytest.raises(Unknown):
        _rooms("a").add(ROOM_RULE, "a", SILENT, before=anchor)


def test_a_replaced_rule_stays_off() -> None:
    ruleset = _rooms("a").enable(ROOM_RULE, "a", False).add(ROOM_RULE, "a", {"actions": ["notify"]})
    rule = ruleset.rule(ROOM_RULE, "a")
    assert not rule.is_enabled
    assert rule.actions == ("notify",)


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("kind", "rule_id", "body", "error"),
    [
        ("room", ".mine", SILENT, InvalidParam),
        ("room", "a/b", SILENT, InvalidParam),
        ("room", "a\\b", SILENT, InvalidParam),
        ("room", "", SILENT, InvalidParam),
        ("room", "x" * 256, SILENT, InvalidParam),
        ("room", "x", {}, MissingParam),
        ("room", "x", {"actions": "notify"}, BadJson),
        ("room", "x", {"actions": [1]}, BadJson),
        ("room", "x", {"actions": ["shout"]}, InvalidParam),
        ("room", "x", {"actions": [{"set_tweak": 1}]}, InvalidParam),
        ("room", "x", {"actions": [{"set_tweak": "x", "value": "y" * 17000}]}, TooLarge),
        ("room", "x", {"actions": [{"set_tweak": "x", "value": _nested(400)}]}, BadJson),
        ("room", "x", {"actions": [{"set_tweak": "x", "value": 2**70}]}, BadJson),
        ("content", "x", SILENT, MissingParam),
        ("content", "x", {"actions": [], "pattern": 1}, BadJson),
        ("content", "x", {"actions": [], "pattern": ""}, InvalidParam),
        ("content", "x", {"actions": [], "pattern": "x" * 256}, InvalidParam),
        ("override", "x", {"actions": [], "conditions": {}}, BadJson),
        ("override", "x", {"actions": [], "conditions": [{}]}, BadJson),
        ("override", "x", {"actions": [], "conditions": [{"kind": "x"}] * 33}, BadJson),
    ],
)
def test_what_is_no_rule_is_refused(kind: str, rule_id: str, body: dict[str, Any], error: type[MatrixError]) -> None:
    with pytest.raises(error) as raised:
        Ruleset.default().add(parse_kind(kind), rule_id, body)
    assert type(raised.value) is error


def test_a_user_has_a_bounded_number_of_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruleset_module, "MAX_OWN_RULES", 2)
    full = _rooms("a", "b")
    full.add(ROOM_RULE, "a", SILENT)
    with pytest.raises(TooLarge):
        full.add(OVERRIDE, "c", SILENT)


def test_own_rules_are_deleted_and_default_ones_are_not() -> None:
    assert _rooms("a").delete(ROOM_RULE, "a") == Ruleset.default()
    with pytest.raises(NotFound):
        _rooms("a").delete(ROOM_RULE, "b")
    with pytest.raises(InvalidParam):
        Ruleset.default().delete(OVERRIDE, ".m.rule.master")


def test_default_rules_can_be_changed_and_changed_back() -> None:
    original = Ruleset.default()
    changed = original.enable(OVERRIDE, ".m.rule.master", True)
    changed = changed.set_actions(RuleKind.UNDERRIDE, ".m.rule.message", ["dont_notify"])
    assert changed.rule(OVERRIDE, ".m.rule.master").is_enabled
    assert changed.rule(RuleKind.UNDERRIDE, ".m.rule.message").actions == ()
    assert not changed.is_default
    stored = {".m.rule.master": {"enabled": True}, ".m.rule.message": {"actions": []}}
    assert changed.to_json() == {"defaults": stored}
    back = changed.enable(OVERRIDE, ".m.rule.master", False)
    back = back.set_actions(RuleKind.UNDERRIDE, ".m.rule.message", ["notify"])
    assert back.is_default
    assert not original.rule(OVERRIDE, ".m.rule.master").is_enabled


@pytest.mark.parametrize(("kind", "rule_id"), [(OVERRIDE, "gone"), (ROOM_RULE, ".m.rule.master")])
def test_there_is_no_rule_of_that_name(kind: RuleKind, rule_id: str) -> None:
    for edit in (
        lambda ruleset: ruleset.rule(kind, rule_id),
        lambda ruleset: ruleset.enable(kind, rule_id, True),
        lambda ruleset: ruleset.set_actions(kind, rule_id, []),
    ):
        with pytest.raises(NotFound):
            edit(Ruleset.default())


def test_there_is_no_such_kind() -> None:
    with pytest.raises(InvalidParam):
        parse_kind("device")


@given(rulesets())
def test_what_is_stored_comes_back(ruleset: Ruleset) -> None:
    restored = Ruleset.from_json(orjson.loads(orjson.dumps(ruleset.to_json())))
    assert restored == ruleset
    assert restored.to_client_json(ALICE) == ruleset.to_client_json(ALICE)
    assert (restored is Ruleset.default()) == ruleset.is_default


def test_changes_to_rules_that_exist_no_more_are_forgotten() -> None:
    stored = {"defaults": {".m.rule.contains_user_name": {"enabled": False}}}
    assert Ruleset.from_json(stored) is Ruleset.default()
