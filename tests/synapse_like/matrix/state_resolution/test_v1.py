"""State resolution v1: depth first, the SHA-1 of the id where depths are equal."""

from __future__ import annotations

from hashlib import sha1

from tests.synapse_like.matrix.state_resolution.story import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    LEVELS,
    TOPIC,
    member_key,
    public_room,
)


def digest(event_id: str) -> str:
    return sha1(event_id.encode(), usedforsecurity=False).hexdigest()


def test_the_deepest_event_wins() -> None:
    story = public_room(1, state_default=0)
    shallow = story.topic("shallow", BOB, after="$carol", ts=9999)
    story.join("dave", DAVE, after="$carol")
    deep = story.topic("deep", CAROL, ts=1)
    assert story.merge(shallow, deep)[TOPIC] == deep


def test_of_equal_depth_the_smallest_hash_wins() -> None:
    story = public_room(1, state_default=0)
    topics = [story.topic(name, BOB, after="$carol") for name in ("one", "two", "three")]
    assert story.merge(*topics)[TOPIC] == min(topics, key=digest)


def test_an_event_that_is_not_allowed_is_passed_over() -> None:
    story = public_room(1, users={BOB: 50})
    old = story.topic("old", ALICE)
    story.join("dave", DAVE)
    deep = story.topic("deep", BOB)
    demotion = story.power("demotion", ALICE, after=old)
    assert story.merge(deep, demotion)[TOPIC] == old


def test_power_levels_follow_each_other_until_one_is_not_allowed() -> None:
    """From the least deep on: ALICE's demotion of BOB comes before what BOB did deeper down."""
    story = public_room(1, users={BOB: 50})
    demotion = story.power("demotion", ALICE, after="$carol")
    story.join("dave", DAVE, after="$carol")
    by_bob = story.power("by_bob", BOB, users={BOB: 50, DAVE: 10})
    assert story.merge(demotion, by_bob)[LEVELS] == demotion


def test_if_nothing_is_allowed_the_least_deep_stays() -> None:
    story = public_room(1, users={BOB: 50})
    first = story.topic("first", BOB)
    second = story.topic("second", BOB)
    third = story.topic("third", BOB)
    gone = {member_key(BOB): story.member("gone", BOB, BOB, "leave")}
    states = [{**story.states[event_id], **gone} for event_id in (third, first, second)]
    assert story.resolve(*states)[TOPIC] == first


def test_what_one_state_lacks_is_no_conflict() -> None:
    """Even if it would not be allowed in the resolved state."""
    story = public_room(1, users={BOB: 50})
    topic = story.topic("topic", BOB, after="$carol")
    ban = story.member("ban", ALICE, BOB, "ban", after="$carol")
    merged = story.merge(topic, ban)
    assert (merged[TOPIC], merged[member_key(BOB)]) == (topic, ban)
