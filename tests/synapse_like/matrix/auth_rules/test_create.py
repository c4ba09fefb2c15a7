"""The rules for m.room.create."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_like.matrix.auth_rules import check_auth
from synapse_like.matrix.errors import AuthError
from tests.synapse_like.matrix.auth_rules.room_kit import ALL, CREATOR, make_create, make_event, verdict


@pytest.mark.parametrize("number", ALL)
def test_a_good_create_event_needs_no_state(number: int) -> None:
    check_auth(make_create(number), {})


@pytest.mark.parametrize("number", ALL)
def test_a_create_event_comes_first(number: int) -> None:
    event = make_event(
        number, "m.room.create", CREATOR, {"creator": CREATOR}, state_key="", prev_events=["$something:a"]
    )
    verdict(event, {}, "first of its room")


@pytest.mark.parametrize("number", range(1, 12))
def test_the_room_id_is_of_the_senders_server(number: int) -> None:
    for room_id in ("!room:b", "!room"):
        event = make_event(
            number, "m.room.create", CREATOR, {"creator": CREATOR}, state_key="", prev_events=[], room_id=room_id
        )
        verdict(event, {}, "another server")


def test_from_version_12_on_the_create_event_has_no_room_id() -> None:
    event = make_event(12, "m.room.create", CREATOR, {}, state_key="", prev_events=[])
    verdict(event, {}, "must not carry one")


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("named", ["13", "", 1, None, ["1"]])
def test_the_room_version_is_a_known_one(number: int, named: Any) -> None:
    verdict(make_create(number, room_version=named), {}, "is unknown")


@pytest.mark.parametrize("number", ALL)
def test_no_room_version_means_version_1(number: int) -> None:
    create = make_create(number)
    del create.content["room_version"]
    check_auth(create, {})


@pytest.mark.parametrize("number", ALL)
def test_a_creator_is_named_up_to_version_10(number: int) -> None:
    create = make_create(number)
    create.content.pop("creator", None)
    verdict(create, {}, "names no creator" if number <= 10 else None)


@pytest.mark.parametrize("creators", [[], ["@bob:b"], ["@bob:b", "@Strange Name:b:8448"]])
def test_additional_creators_are_user_ids(creators: Any) -> None:
    check_auth(make_create(12, additional_creators=creators), {})


@pytest.mark.parametrize("creators", ["@bob:b", None, {"@bob:b": 1}, ["bob"], ["@bob:b", 7], ["@bob"], [""]])
def test_malformed_additional_creators_are_refused_from_version_12_on(creators: Any) -> None:
    with pytest.raises(AuthError, match="additional_creators"):
        check_auth(make_create(12, additional_creators=creators), {})
    check_auth(make_create(11, additional_creators=creators), {})
