"""Random rooms: small actions on forks that come and go, made by hypothesis, kept only if the rules allow them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from synapse_like.matrix.errors import AuthError
from tests.synapse_like.matrix.state_resolution.story import ALICE, BOB, CAROL, DAVE, Story, public_room

USERS = (ALICE, BOB, CAROL, DAVE)
ACTIONS = ("join", "leave", "invite", "kick", "ban", "power", "rules", "topic", "message")
LEVEL_CHOICES = (0, 20, 50, 60, 100)


@dataclass(frozen=True)
class Step:
    """One action: who does what to whom, on which of the newest heads (one or two), and when by their clock."""

    action: str
    actor: int
    target: int
    value: int
    parents: tuple[int, ...]
    ts: int


STEPS = st.builds(
    Step,
    action=st.sampled_from(ACTIONS),
    actor=st.integers(0, 3),
    target=st.integers(0, 3),
    value=st.integers(0, 4),
    parents=st.lists(st.integers(0, 4), min_size=1, max_size=2, unique=True).map(tuple),
    ts=st.integers(500, 510),
)


def told(number: int, steps: list[Step]) -> Story:
    """The room after these steps; those that the rules forbid did not happen."""
    story = public_room(number, users={BOB: 60, CAROL: 50}, state_default=20)
    for place, step in enumerate(steps):
        parents = tuple(sorted({story.newest(parent) for parent in step.parents}))
        event_type, content, state_key = _content(story, step)
        event = story.make(
            f"{place}_{step.action}", event_type, USERS[step.actor], content, state_key, after=parents, ts=step.ts
        )
        try:
            story.add(event)
        except AuthError:
            continue
    return story


def _content(story: Story, step: Step) -> tuple[str, dict[str, Any], str | None]:
    actor, target, level = USERS[step.actor], USERS[step.target], LEVEL_CHOICES[step.value]
    if step.action in ("join", "leave"):
        return "m.room.member", {"membership": step.action}, actor
    if step.action in ("invite", "kick", "ban"):
        return "m.room.member", {"membership": "leave" if step.action == "kick" else step.action}, target
    if step.action == "power":
        users = {BOB: 60, CAROL: 50, target: level}
        if story.version.privileged_creators:
            users.pop(ALICE, None)
        return "m.room.power_levels", story.levels(users=users, state_default=20), ""
    if step.action == "rules":
        return "m.room.join_rules", {"join_rule": ("public", "invite")[step.value % 2]}, ""
    if step.action == "topic":
        return "m.room.topic", {"topic": str(step.value)}, ""
    return "m.room.message", {"body": str(step.value)}, None
