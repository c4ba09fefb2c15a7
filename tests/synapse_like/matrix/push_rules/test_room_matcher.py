"""The matcher of a room says exactly what evaluating every member's rules says, and mostly without doing so."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_like.matrix.push_rules import (
    EventView,
    Mode,
    Outcome,
    PushMember,
    RoomContext,
    RoomMatcher,
    RuleKind,
    Ruleset,
    compile_ruleset,
    evaluate,
)
from tests.synapse_like.matrix.push_rules.examples import NAMES, ROOM, USERS, grid, room_contexts, rulesets, view, views

Edit = Callable[[Ruleset], Ruleset]


GRID = grid()


def _disagreements(
    matcher: RoomMatcher, members: list[PushMember], ruleset: Ruleset, room: RoomContext
) -> list[object]:
    wrong: list[object] = []
    for seen in GRID:
        found = matcher.match(seen, room)
        for member in members:
            said = matcher.mode(member.user_id).counts(Outcome(found.notify_all, found.highlight_all, False))
            expected = evaluate(ruleset, seen, room, member).counts
            if found.exceptions.get(member.user_id, said) != expected:
                wrong.append((member, found, expected))
    return wrong


@settings(max_examples=60, deadline=None)
@given(rulesets(), st.sampled_from(NAMES), room_contexts())
def test_every_ruleset_is_compiled_to_what_it_says(ruleset: Ruleset, name: str | None, room: RoomContext) -> None:
    members = [PushMember(USERS[0], name), PushMember(USERS[2], name)]
    rules = compile_ruleset(ruleset, ROOM)
    matcher = RoomMatcher()
    for member in members:
        matcher.add(member.user_id, rules, member.display_name)
    assert _disagreements(matcher, members, ruleset, room) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(rulesets(), min_size=len(USERS), max_size=len(USERS)),
    st.lists(st.sampled_from(NAMES), min_size=len(USERS), max_size=len(USERS)),
    st.lists(st.tuples(views(), room_contexts()), min_size=1, max_size=6),
)
def test_the_matcher_agrees_with_the_evaluation_of_every_member(
    rules: list[Ruleset], names: list[str | None], events: list[tuple[EventView, RoomContext]]
) -> None:
    matcher = RoomMatcher()
    for user_id, ruleset, name in zip(USERS, rules, names, strict=True):
        matcher.add(user_id, compile_ruleset(ruleset, ROOM), name)
    for seen, room in events:
        if seen.value(("room_id",)) != ROOM:
            continue
        found = matcher.match(seen, room)
        for user_id, ruleset, name in zip(USERS, rules, names, strict=True):
            expected = evaluate(ruleset, seen, room, PushMember(user_id, name)).counts
            said = matcher.mode(user_id).counts(Outcome(found.notify_all, found.highlight_all, False))
            if user_id in found.exceptions:
                assert found.exceptions[user_id] == expected != said
            else:
                assert said == expected


def _muted_by_override(ruleset: Ruleset) -> Ruleset:
    condition = {"kind": "event_match", "key": "room_id", "pattern": ROOM}
    return ruleset.add(RuleKind.OVERRIDE, ROOM, {"actions": ["dont_notify"], "conditions": [condition]})


def _mentions_only(ruleset: Ruleset) -> Ruleset:
    return ruleset.add(RuleKind.ROOM, ROOM, {"actions": []})


def _all_messages(ruleset: Ruleset) -> Ruleset:
    return ruleset.add(RuleKind.ROOM, ROOM, {"actions": ["notify", {"set_tweak": "sound", "value": "default"}]})


def _keyword(word: str) -> Edit:
    actions = ["notify", {"set_tweak": "highlight"}]
    return lambda ruleset: ruleset.add(RuleKind.CONTENT, word, {"actions": actions, "pattern": word})


def _default_actions(actions: list[Any], *names: str) -> Edit:
    def edit(ruleset: Ruleset) -> Ruleset:
        for name in names:
            ruleset = ruleset.set_actions(RuleKind.UNDERRIDE, f".m.rule.{name}", actions)
        return ruleset

    return edit


def _master(ruleset: Ruleset) -> Ruleset:
    return ruleset.enable(RuleKind.OVERRIDE, ".m.rule.master", True)


def _other_room_muted(ruleset: Ruleset) -> Ruleset:
    return ruleset.add(RuleKind.ROOM, "!quiet:example.org", {"actions": []})


def _sender_muted(ruleset: Ruleset) -> Ruleset:
    return ruleset.add(RuleKind.SENDER, "@bob:example.org", {"actions": []})


def _loud_notices(ruleset: Ruleset) -> Ruleset:
    return ruleset.enable(RuleKind.OVERRIDE, ".m.rule.suppress_notices", False)


@pytest.mark.parametrize(
    ("edits", "mode"),
    [
        ([], Mode.ALL),
        ([_muted_by_override], Mode.OFF),
        ([_mentions_only], Mode.MENTIONS),
        ([_master], Mode.OFF),
        ([_keyword("cake")], Mode.ALL),
        ([_keyword("cake*")], Mode.ALL),
        ([_keyword("привет")], Mode.ALL),
        ([_mentions_only, _keyword("cake")], Mode.MENTIONS),
        ([_muted_by_override, _keyword("cake")], Mode.OFF),
        ([_other_room_muted], Mode.ALL),
        ([_sender_muted], Mode.ALL),
        ([_loud_notices], Mode.ALL),
        ([_all_messages], Mode.ALL),
        ([_default_actions([], "message", "encrypted")], Mode.MENTIONS),
        ([_default_actions([], "message", "encrypted", "room_one_to_one", "encrypted_room_one_to_one")], Mode.MENTIONS),
        ([_default_actions(["notify", {"set_tweak": "sound", "value": "bing"}], "message")], Mode.ALL),
        ([_keyword("*")], Mode.CUSTOM),
        ([_default_actions([], "message")], Mode.CUSTOM),
        ([_default_actions(["notify", {"set_tweak": "highlight"}], "message")], Mode.CUSTOM),
    ],
)
def test_common_settings_need_no_evaluation_of_every_event(edits: list[Edit], mode: Mode) -> None:
    ruleset = Ruleset.default()
    for edit in edits:
        ruleset = edit(ruleset)
    assert compile_ruleset(ruleset, ROOM).mode is mode


def _override(*conditions: dict[str, Any]) -> Edit:
    body = {"actions": ["notify", {"set_tweak": "highlight"}], "conditions": list(conditions)}
    return lambda ruleset: ruleset.add(RuleKind.OVERRIDE, "mine", body)


@pytest.mark.parametrize(
    "edits",
    [
        [_default_actions([], "message", "encrypted")],
        [_override({"kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": USERS[3]})],
        [_override({"kind": "event_property_contains", "key": "content.count", "value": 1})],
        [_override({"kind": "event_match", "key": "content.body", "pattern": "*c?ke"})],
        [_override({"kind": "room_member_count", "is": "<3"})],
        [_all_messages, _loud_notices],
        [_all_messages, lambda ruleset: ruleset.enable(RuleKind.OVERRIDE, ".m.rule.reaction", False)],
        [_all_messages, _keyword("tea"), _sender_muted],
        [_mentions_only, _sender_muted, _keyword("c++")],
    ],
)
@pytest.mark.parametrize("member_count", [2, 10, 11])
def test_notable_rulesets_are_compiled_to_what_they_say(edits: list[Edit], member_count: int) -> None:
    ruleset = Ruleset.default()
    for edit in edits:
        ruleset = edit(ruleset)
    matcher, rules = RoomMatcher(), compile_ruleset(ruleset, ROOM)
    members = [PushMember(user_id) for user_id in USERS]
    for member in members:
        matcher.add(member.user_id, rules)
    assert rules.mode is not Mode.CUSTOM
    assert _disagreements(matcher, members, ruleset, RoomContext(member_count, 50)) == []


def test_keywords_are_known_by_their_words() -> None:
    ruleset = _keyword("Tea time")(_keyword("cake")(Ruleset.default()))
    assert compile_ruleset(ruleset, ROOM).keywords == {"cake", "time"}


def test_a_message_looks_at_the_members_whom_it_concerns_only() -> None:
    matcher = RoomMatcher()
    plain = compile_ruleset(Ruleset.default(), ROOM)
    for number in range(1000):
        matcher.add(f"@user{number}:example.org", plain)
    matcher.add("@baker:example.org", compile_ruleset(_keyword("cake")(Ruleset.default()), ROOM))
    content = {"msgtype": "m.text", "body": "more cake!", "m.mentions": {"user_ids": ["@user7:example.org", "@gone:x"]}}
    found = matcher.match(view(content, sender="@user3:example.org"), RoomContext(1001))
    assert (found.notify_all, found.highlight_all) == (True, False)
    assert found.exceptions == {
        "@user7:example.org": (True, True),
        "@baker:example.org": (True, True),
        "@user3:example.org": (False, False),
    }


def test_who_left_or_changed_rules_waits_for_nothing_any_more() -> None:
    matcher = RoomMatcher()
    rules = compile_ruleset(_keyword("cake")(Ruleset.default()), ROOM)
    matcher.add("@alice:example.org", rules)
    matcher.add("@carol:example.org", rules)
    matcher.remove("@alice:example.org")
    matcher.add("@carol:example.org", compile_ruleset(Ruleset.default(), ROOM))
    matcher.remove("@nobody:example.org")
    assert "@alice:example.org" not in matcher
    assert len(matcher) == 1
    assert matcher.match(view({"msgtype": "m.text", "body": "cake"}), RoomContext(3)).exceptions == {}


def test_mentioning_everyone_highlights_for_those_who_keep_mentions() -> None:
    matcher = RoomMatcher()
    matcher.add("@alice:example.org", compile_ruleset(Ruleset.default(), ROOM))
    matcher.add("@carol:example.org", compile_ruleset(_mentions_only(Ruleset.default()), ROOM))
    content = {"msgtype": "m.text", "body": "@room", "m.mentions": {"room": True}}
    powerful, weak = RoomContext(9, 50), RoomContext(9, 49)
    assert matcher.match(view(content), powerful) == matcher.match(view(content), powerful)
    assert matcher.match(view(content), powerful).highlight_all
    assert not matcher.match(view(content), powerful).exceptions
    assert not matcher.match(view(content), weak).highlight_all
