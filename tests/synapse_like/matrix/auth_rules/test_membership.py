"""The rules for m.room.member, membership by membership."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.synapse_like.matrix.auth_rules.room_kit import (
    ALICE,
    ALL,
    BOB,
    CREATE_ID,
    CREATOR,
    MALLORY,
    Case,
    make_create,
    make_event,
    make_room,
    member_case,
    table,
    verdict,
)

KNOCK, BEFORE_KNOCK = range(7, 13), range(1, 7)

JOINS = [
    member_case("public", (BOB, BOB, "join"), join_rule="public"),
    member_case("public after leaving", (BOB, BOB, "join"), join_rule="public", members={BOB: "leave"}),
    member_case("public banned", (BOB, BOB, "join"), "banned", join_rule="public", members={BOB: "ban"}),
    member_case("for another", (ALICE, BOB, "join"), "for somebody else", join_rule="public"),
    member_case("not invited", (BOB, BOB, "join"), "not invited"),
    member_case("after a refused invite", (BOB, BOB, "join"), "not invited", members={BOB: "leave"}),
    member_case("invited", (BOB, BOB, "join"), members={BOB: "invite"}),
    member_case("again", (BOB, BOB, "join"), members={BOB: "join"}),
    member_case("invite banned", (BOB, BOB, "join"), "banned", members={BOB: "ban"}),
    member_case("no join rule", (BOB, BOB, "join"), "not invited", join_rule=None),
    member_case("no join rule, invited", (BOB, BOB, "join"), join_rule=None, members={BOB: "invite"}),
    member_case("private", (BOB, BOB, "join"), "Nobody can join", join_rule="private", members={BOB: "invite"}),
    member_case("unknown rule", (BOB, BOB, "join"), "Nobody can join", join_rule="x", members={BOB: "join"}),
    member_case("knock rule", (BOB, BOB, "join"), versions=KNOCK, join_rule="knock", members={BOB: "invite"}),
    member_case(
        "knocked only", (BOB, BOB, "join"), "not invited", join_rule="knock", members={BOB: "knock"}, versions=KNOCK
    ),
    member_case(
        "knock rule too early",
        (BOB, BOB, "join"),
        "Nobody can join",
        versions=BEFORE_KNOCK,
        join_rule="knock",
        members={BOB: "invite"},
    ),
]


@table(JOINS)
def test_joins(case: Case, number: int) -> None:
    case.check(number)


VOUCHED = {"join_authorised_via_users_server": ALICE}
RESTRICTED_JOINS = [
    member_case("vouched for", (BOB, BOB, "join"), content=VOUCHED, members={ALICE: "join"}),
    member_case("invited", (BOB, BOB, "join"), members={BOB: "invite"}),
    member_case("again", (BOB, BOB, "join"), members={BOB: "join"}),
    member_case("banned", (BOB, BOB, "join"), "banned", content=VOUCHED, members={ALICE: "join", BOB: "ban"}),
    member_case("nobody vouches", (BOB, BOB, "join"), "vouches", members={ALICE: "join"}),
    member_case("nonsense vouches", (BOB, BOB, "join"), "vouches", content={"join_authorised_via_users_server": 7}),
    member_case("a stranger vouches", (BOB, BOB, "join"), "not in the room", content=VOUCHED),
    member_case(
        "one who left vouches", (BOB, BOB, "join"), "not in the room", content=VOUCHED, members={ALICE: "leave"}
    ),
    member_case(
        "the voucher may not invite",
        (BOB, BOB, "join"),
        "may not let",
        content=VOUCHED,
        members={ALICE: "join"},
        levels={"invite": 50},
    ),
    member_case(
        "the voucher may invite",
        (BOB, BOB, "join"),
        content=VOUCHED,
        members={ALICE: "join"},
        levels={"invite": 50, "users": {ALICE: 50}},
    ),
]


@table(RESTRICTED_JOINS)
def test_restricted_joins(case: Case, number: int) -> None:
    """Both join rules, in the versions that have them; before, nobody can join at all."""
    for rule, first in (("restricted", 8), ("knock_restricted", 10)):
        refused = case.refused if number >= first else "banned" if case.refused == "banned" else "Nobody can join"
        replace(case, refused=refused, room=case.room | {"join_rule": rule}).check(number)


@pytest.mark.parametrize("number", ALL)
def test_the_creator_joins_first(number: int) -> None:
    create = make_create(number)
    state = {create.key: create}
    join = make_event(
        number, "m.room.member", CREATOR, {"membership": "join"}, state_key=CREATOR, prev_events=[CREATE_ID]
    )
    verdict(join, state, None)
    late = make_event(number, "m.room.member", CREATOR, {"membership": "join"}, state_key=CREATOR)
    verdict(late, state, "not invited")
    two = make_event(
        number, "m.room.member", CREATOR, {"membership": "join"}, state_key=CREATOR, prev_events=[CREATE_ID, "$x:a"]
    )
    verdict(two, state, "not invited")
    other = make_event(number, "m.room.member", ALICE, {"membership": "join"}, state_key=ALICE, prev_events=[CREATE_ID])
    verdict(other, state, "not invited")


@pytest.mark.parametrize("number", ALL)
def test_who_the_creator_is(number: int) -> None:
    """Up to version 10 `content.creator` says it, from 11 on the sender of the create event is."""
    create = make_create(number, creator=ALICE)
    join = make_event(number, "m.room.member", ALICE, {"membership": "join"}, state_key=ALICE, prev_events=[CREATE_ID])
    verdict(join, {create.key: create}, None if number <= 10 else "not invited")


def test_an_additional_creator_does_not_join_uninvited() -> None:
    create = make_create(12, additional_creators=[ALICE])
    join = make_event(12, "m.room.member", ALICE, {"membership": "join"}, state_key=ALICE, prev_events=[CREATE_ID])
    verdict(join, {create.key: create}, "not invited")


INVITES = [
    member_case("by a member", (ALICE, BOB, "invite"), members={ALICE: "join"}),
    member_case("again", (ALICE, BOB, "invite"), members={ALICE: "join", BOB: "invite"}),
    member_case("after leaving", (ALICE, BOB, "invite"), members={ALICE: "join", BOB: "leave"}),
    member_case("after knocking", (ALICE, BOB, "invite"), members={ALICE: "join", BOB: "knock"}),
    member_case("by a stranger", (ALICE, BOB, "invite"), "not in the room"),
    member_case("by an invitee", (ALICE, BOB, "invite"), "not in the room", members={ALICE: "invite"}),
    member_case("of a member", (ALICE, BOB, "invite"), "cannot be invited", members={ALICE: "join", BOB: "join"}),
    member_case("of a banned", (ALICE, BOB, "invite"), "cannot be invited", members={ALICE: "join", BOB: "ban"}),
    member_case(
        "too little power", (ALICE, BOB, "invite"), "may not invite", members={ALICE: "join"}, levels={"invite": 1}
    ),
    member_case(
        "just enough", (ALICE, BOB, "invite"), members={ALICE: "join"}, levels={"invite": 1, "users": {ALICE: 1}}
    ),
    member_case("no power needed", (ALICE, BOB, "invite"), members={ALICE: "join"}, levels={}),
    member_case(
        "negative power", (ALICE, BOB, "invite"), "may not", members={ALICE: "join"}, levels={"users": {ALICE: -1}}
    ),
]


@table(INVITES)
def test_invites(case: Case, number: int) -> None:
    case.check(number)


MODERATED = {"users": {ALICE: 50, BOB: 10}}
PEERS = {"users": {ALICE: 50, BOB: 50}}
BOTH = {ALICE: "join", BOB: "join"}
LEAVES = [
    member_case("joined", (BOB, BOB, "leave"), members={BOB: "join"}),
    member_case("invited", (BOB, BOB, "leave"), members={BOB: "invite"}),
    member_case("knocked", (BOB, BOB, "leave"), members={BOB: "knock"}, versions=KNOCK),
    member_case(
        "knocked too early", (BOB, BOB, "leave"), "nothing to leave", members={BOB: "knock"}, versions=BEFORE_KNOCK
    ),
    member_case("never there", (BOB, BOB, "leave"), "nothing to leave"),
    member_case("left", (BOB, BOB, "leave"), "nothing to leave", members={BOB: "leave"}),
    member_case("banned", (BOB, BOB, "leave"), "nothing to leave", members={BOB: "ban"}),
    member_case("kick", (ALICE, BOB, "leave"), members=BOTH, levels=MODERATED),
    member_case("kick an equal", (ALICE, BOB, "leave"), "as much power", members=BOTH, levels=PEERS),
    member_case("kick without power", (BOB, ALICE, "leave"), "needs power level 50", members=BOTH, levels=MODERATED),
    member_case("kick from outside", (ALICE, BOB, "leave"), "not in the room", members={BOB: "join"}, levels=MODERATED),
    member_case("kick at own level", (ALICE, BOB, "leave"), members=BOTH, levels=MODERATED | {"kick": 50}),
    member_case("kick above own level", (ALICE, BOB, "leave"), "needs", members=BOTH, levels=MODERATED | {"kick": 51}),
    member_case("withdraw an invite", (ALICE, BOB, "leave"), members={ALICE: "join", BOB: "invite"}, levels=MODERATED),
    member_case("reject a knock", (ALICE, BOB, "leave"), members={ALICE: "join", BOB: "knock"}, levels=MODERATED),
    member_case("unban", (ALICE, BOB, "leave"), members={ALICE: "join", BOB: "ban"}, levels=MODERATED),
    member_case(
        "unban without the ban level",
        (ALICE, BOB, "leave"),
        "lift a ban",
        members={ALICE: "join", BOB: "ban"},
        levels=MODERATED | {"ban": 51, "kick": 0},
    ),
    member_case(
        "unban without the kick level",
        (ALICE, BOB, "leave"),
        "needs power level 51",
        members={ALICE: "join", BOB: "ban"},
        levels=MODERATED | {"ban": 0, "kick": 51},
    ),
    member_case("ban", (ALICE, BOB, "ban"), members=BOTH, levels=MODERATED),
    member_case("ban a stranger", (ALICE, MALLORY, "ban"), members=BOTH, levels=MODERATED),
    member_case("ban a banned", (ALICE, BOB, "ban"), members={ALICE: "join", BOB: "ban"}, levels=MODERATED),
    member_case("ban an equal", (ALICE, BOB, "ban"), "as much power", members=BOTH, levels=PEERS),
    member_case("ban oneself", (ALICE, ALICE, "ban"), "as much power", members=BOTH, levels=MODERATED),
    member_case("ban without power", (BOB, ALICE, "ban"), "needs power level 50", members=BOTH, levels=MODERATED),
    member_case("ban from outside", (ALICE, BOB, "ban"), "not in the room", members={BOB: "join"}, levels=MODERATED),
    member_case("ban above own level", (ALICE, BOB, "ban"), "needs", members=BOTH, levels=MODERATED | {"ban": 51}),
    member_case("the creator has 100", (CREATOR, BOB, "ban"), members=BOTH),
    member_case("all others have 0", (ALICE, BOB, "ban"), "needs power level 50", members=BOTH),
]


@table(LEAVES)
def test_leaves_kicks_and_bans(case: Case, number: int) -> None:
    case.check(number)


CREATORS = {"additional_creators": [BOB]}
CREATORS_REIGN, BEFORE_CREATORS = range(12, 13), range(1, 12)
MIGHTY = {"users": {ALICE: 10**15}}


@table(
    [
        member_case(
            "kicks the mighty",
            (BOB, ALICE, "leave"),
            members=BOTH,
            create=CREATORS,
            levels=MIGHTY,
            versions=CREATORS_REIGN,
        ),
        member_case(
            "is not kicked",
            (ALICE, BOB, "leave"),
            "as much",
            members=BOTH,
            create=CREATORS,
            levels=MIGHTY,
            versions=CREATORS_REIGN,
        ),
        member_case(
            "not by a creator",
            (CREATOR, BOB, "ban"),
            "as much",
            members=BOTH,
            create=CREATORS,
            levels={},
            versions=CREATORS_REIGN,
        ),
        member_case(
            "means nothing before",
            (BOB, ALICE, "leave"),
            "needs",
            members=BOTH,
            create=CREATORS,
            levels={},
            versions=BEFORE_CREATORS,
        ),
        member_case(
            "the creator is bound before",
            (CREATOR, BOB, "ban"),
            "needs",
            members=BOTH,
            levels={},
            versions=BEFORE_CREATORS,
        ),
        member_case(
            "the creator is not bound", (CREATOR, BOB, "ban"), members=BOTH, levels={}, versions=CREATORS_REIGN
        ),
    ]
)
def test_creators(case: Case, number: int) -> None:
    case.check(number)


KNOCKS = [
    member_case("stranger", (BOB, BOB, "knock"), join_rule="knock"),
    member_case("after leaving", (BOB, BOB, "knock"), join_rule="knock", members={BOB: "leave"}),
    member_case("again", (BOB, BOB, "knock"), join_rule="knock", members={BOB: "knock"}),
    member_case("for another", (ALICE, BOB, "knock"), "for somebody else", join_rule="knock"),
    member_case("banned", (BOB, BOB, "knock"), "cannot knock", join_rule="knock", members={BOB: "ban"}),
    member_case("invited", (BOB, BOB, "knock"), "cannot knock", join_rule="knock", members={BOB: "invite"}),
    member_case("joined", (BOB, BOB, "knock"), "cannot knock", join_rule="knock", members={BOB: "join"}),
    member_case("invite only", (BOB, BOB, "knock"), "does not take knocks"),
    member_case("public", (BOB, BOB, "knock"), "does not take knocks", join_rule="public"),
    member_case("restricted", (BOB, BOB, "knock"), "does not take knocks", join_rule="restricted"),
]


@table(KNOCKS)
def test_knocks(case: Case, number: int) -> None:
    replace(case, refused=case.refused if number >= 7 else "does not exist").check(number)


@pytest.mark.parametrize("number", KNOCK)
def test_knocking_on_knock_restricted(number: int) -> None:
    refused = None if number >= 10 else "does not take knocks"
    member_case("", (BOB, BOB, "knock"), refused, join_rule="knock_restricted").check(number)


@pytest.mark.parametrize("number", ALL)
def test_malformed_memberships(number: int) -> None:
    state = make_room(number, join_rule="public")
    verdict(make_event(number, "m.room.member", BOB, {"membership": "join"}), state, "needs a state key")
    for content in ({}, {"membership": "sleep"}, {"membership": None}, {"membership": ["join"]}):
        verdict(make_event(number, "m.room.member", BOB, content, state_key=BOB), state, "does not exist")
