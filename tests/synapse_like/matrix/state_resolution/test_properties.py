"""What holds for state resolution in every room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.room_versions import StateResolution
from synapse_like.matrix.state_resolution import InMemoryEvents, StateMap, resolve
from tests.synapse_like.matrix.state_resolution.random_rooms import STEPS, Step, told
from tests.synapse_like.matrix.state_resolution.reference import Reference
from tests.synapse_like.matrix.state_resolution.story import Story

NUMBERS = st.sampled_from([1, 2, 6, 10, 11, 12])
ROOMS = st.lists(STEPS, min_size=4, max_size=25)
CHOICES = st.lists(st.integers(0, 6), min_size=2, max_size=4, unique=True)


def some_states(story: Story, choices: list[int]) -> list[StateMap]:
    """The states after some of the newest events."""
    return [story.states[story.newest(choice)] for choice in choices]


@given(number=NUMBERS, steps=ROOMS, choices=CHOICES, data=st.data())
def test_the_order_of_states_and_events_does_not_matter(
    number: int, steps: list[Step], choices: list[int], data: st.DataObject
) -> None:
    story = told(number, steps)
    states = some_states(story, choices)
    resolved = story.resolve(*states)
    shuffled = data.draw(st.permutations(states))
    turned = [dict(reversed(list(state.items()))) for state in shuffled]
    source = InMemoryEvents(reversed(story.events.values()))
    assert resolve(story.version, turned, source) == resolved
    assert story.resolve(*shuffled, shuffled[0]) == resolved


@given(number=NUMBERS, steps=ROOMS, choices=CHOICES)
def test_what_is_agreed_stays_and_nothing_is_invented(number: int, steps: list[Step], choices: list[int]) -> None:
    story = told(number, steps)
    states = some_states(story, choices)
    before = [dict(state) for state in states]
    resolved = story.resolve(*states)
    assert states == before, "the states that were given are not changed"
    for key, event_id in states[0].items():
        if all(state.get(key) == event_id for state in states):
            assert resolved[key] == event_id
    given = {event_id for state in states for event_id in state.values()}
    difference = story.source.auth_chain_difference([list(state.values()) for state in states])
    between = story.source.conflicted_subgraph(given)
    assert set(resolved.values()) <= given | difference | between
    assert all(story.events[event_id].key == key for key, event_id in resolved.items())


@given(number=st.sampled_from([2, 6, 11, 12]), steps=ROOMS, choices=CHOICES)
def test_it_does_what_the_specification_says(number: int, steps: list[Step], choices: list[int]) -> None:
    """The same answer as the naive reading of the text, for honest states."""
    story = told(number, steps)
    states = some_states(story, choices)
    reference = Reference(story.events, story.version.state_resolution is StateResolution.V2_1)
    assert story.resolve(*states) == reference.resolve([dict(state) for state in states])


@given(number=st.sampled_from([2, 11, 12]), steps=ROOMS, choices=CHOICES, data=st.data())
def test_it_does_what_the_specification_says_of_wrong_states(
    number: int, steps: list[Step], choices: list[int], data: st.DataObject
) -> None:
    """The same for states as faulty servers tell them: with older events for some keys, or without them."""
    story = told(number, steps)
    states = [dict(state) for state in some_states(story, choices)]
    state_events = [event_id for event_id, event in story.events.items() if event.is_state]
    for state in states:
        for event_id in data.draw(st.lists(st.sampled_from(state_events), max_size=3)):
            state[story.events[event_id].key] = event_id
        for event_id in data.draw(st.lists(st.sampled_from(state_events[1:]), max_size=1)):
            state.pop(story.events[event_id].key, None)
    reference = Reference(story.events, story.version.state_resolution is StateResolution.V2_1)
    assert story.resolve(*states) == reference.resolve(states)


@given(number=NUMBERS, steps=ROOMS, choices=CHOICES, data=st.data())
def test_what_is_common_may_be_told_apart(
    number: int, steps: list[Step], choices: list[int], data: st.DataObject
) -> None:
    story = told(number, steps)
    states = some_states(story, choices)
    same = {key: event_id for key, event_id in states[0].items() if all(s.get(key) == event_id for s in states)}
    common = {key: same[key] for key in data.draw(st.lists(st.sampled_from(sorted(same)), unique=True))}
    parts = [{key: event_id for key, event_id in state.items() if key not in common} for state in states]
    resolved = resolve(story.version, parts, story.source, common)
    assert common.keys().isdisjoint(resolved)
    assert {**resolved, **common} == story.resolve(*states)


@given(number=NUMBERS, steps=st.lists(STEPS, max_size=15))
def test_without_forks_the_state_is_the_latest_of_each_key(number: int, steps: list[Step]) -> None:
    straight = [Step(step.action, step.actor, step.target, step.value, (0,), step.ts) for step in steps]
    story = told(number, straight)
    replayed: dict[tuple[str, str], str] = {}
    for event in story.events.values():
        if event.is_state:
            replayed[event.key] = event.event_id
    last = list(story.events)[-1]
    assert story.merge(last, last) == replayed


@given(number=NUMBERS, steps=ROOMS, choices=CHOICES)
def test_the_auth_graph_is_walked_as_defined(number: int, steps: list[Step], choices: list[int]) -> None:
    story = told(number, steps)
    states = [list(state.values()) for state in some_states(story, choices)]
    reference = Reference(story.events, is_v2_1=True)
    chains = [reference.chain_of(state) for state in states]
    assert story.source.auth_chain_difference(states) == set().union(*chains) - chains[0].intersection(*chains)
    conflicted = set().union(*states) - set(states[0]).intersection(*states)
    assert story.source.conflicted_subgraph(conflicted) == reference.subgraph(conflicted)


def test_no_states_have_no_difference() -> None:
    assert InMemoryEvents([]).auth_chain_difference([]) == set()
    assert InMemoryEvents([]).conflicted_subgraph([]) == set()
