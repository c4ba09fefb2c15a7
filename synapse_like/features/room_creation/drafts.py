"""The events of a new room, in the order that the specification gives them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synapse_like.features.membership import Membership
from synapse_like.features.room_creation.order import PRESETS, RoomOrder, StateOrder
from synapse_like.features.room_creation.power_levels import initial_power_levels
from synapse_like.matrix.errors import InvalidParam, InvalidRoomState
from synapse_like.matrix.room_versions import RoomVersion
from synapse_like.rooms.front import Draft
from synapse_like.rooms.live import MEMBER

CREATE = "m.room.create"
POWER_LEVELS = "m.room.power_levels"
ENCRYPTION = "m.room.encryption"
MEGOLM = "m.megolm.v1.aes-sha2"


@dataclass(frozen=True, slots=True)
class Plan:
    """A room that is to be made. `level_overrides` come from the configuration."""

    order: RoomOrder
    version: RoomVersion
    creator: str
    alias: str | None = None
    level_overrides: Mapping[str, Any] | None = None
    is_encrypted: bool = False
    """Whether the room is encrypted unless the order says how."""

    @property
    def is_direct(self) -> bool:
        """Whether it is a conversation with those who are invited."""
        return self.order.is_direct is True


def create_draft(plan: Plan) -> Draft:
    """The event that makes the room. Raises InvalidRoomState."""
    content = {key: value for key, value in (plan.order.creation_content or {}).items() if key != "creator"}
    content["room_version"] = plan.version.identifier
    if not plan.version.implicit_creator:
        content["creator"] = plan.creator
    if plan.version.privileged_creators and PRESETS[plan.order.chosen_preset].makes_invited_equal:
        named = content.get("additional_creators", [])
        if not isinstance(named, list):
            raise InvalidRoomState("additional_creators must be a list of user IDs")
        creators = [name for name in [*named, *plan.order.invited] if name != plan.creator]
        if creators:
            content["additional_creators"] = list(dict.fromkeys(map(str, creators)))
    return Draft(type=CREATE, sender=plan.creator, state_key="", content=content)


async def state_drafts(plan: Plan, membership: Membership) -> list[Draft]:
    """All that follows but invites: the creator's join, power levels, alias, preset, initial state, name and topic."""
    profile = (await membership.profile_of(plan.creator)).content()
    drafts = [
        Draft(type=MEMBER, sender=plan.creator, state_key=plan.creator, content={"membership": "join", **profile})
    ]
    contents = [(POWER_LEVELS, "", _power_levels(plan))]
    if plan.alias is not None:
        contents.append(("m.room.canonical_alias", "", {"alias": plan.alias}))
    contents += _chosen_state(plan.order, plan.is_encrypted)
    drafts += [Draft(type=kind, sender=plan.creator, state_key=key, content=content) for kind, key, content in contents]
    return drafts


async def invite_drafts(plan: Plan, state: Sequence[Draft], membership: Membership) -> list[Draft]:
    """The invites of local users. `state` is all that comes before: they are shown a part of it."""
    known = [(draft.type, draft.state_key or "", draft.sender, draft.content) for draft in state]
    shown = membership.stripped.of_state(known, plan.creator)
    drafts = []
    for target in filter(membership.limits.is_local, plan.order.invited):
        content = await membership.invite_content(target, is_direct=plan.is_direct)
        drafts.append(
            Draft(
                type=MEMBER,
                sender=plan.creator,
                state_key=target,
                content=content,
                extras={"invite_room_state": shown},
            )
        )
    return drafts


def _power_levels(plan: Plan) -> dict[str, Any]:
    """The power levels: those of `initial_state` if it has some, or else the usual ones with what overrides them."""
    for entry in plan.order.initial_state or ():
        if (entry.type, entry.state_key) == (POWER_LEVELS, ""):
            return entry.content
    rules = PRESETS[plan.order.chosen_preset]
    equals = plan.order.invited if rules.makes_invited_equal else ()
    overrides = [plan.level_overrides or {}, plan.order.power_level_content_override or {}]
    return initial_power_levels(plan.version, plan.creator, equals, rules, overrides)


def _chosen_state(order: RoomOrder, is_encrypted: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Preset, initial state, name and topic; what comes later in this list stands in for the same key before."""
    initial = _checked(order.initial_state or ())
    named: dict[str, dict[str, Any]] = {}
    if order.name is not None:
        named["m.room.name"] = {"name": order.name}
    if order.topic is not None:
        named["m.room.topic"] = {"topic": order.topic, "m.topic": {"m.text": [{"body": order.topic}]}}
    for kind, content in PRESETS[order.chosen_preset].state.items():
        if (kind, "") not in initial:
            yield kind, "", content
    if is_encrypted and (ENCRYPTION, "") not in initial and (order.creation_content or {}).get("type") != "m.space":
        yield ENCRYPTION, "", {"algorithm": MEGOLM}
    for (kind, key), content in initial.items():
        if key != "" or kind not in named:
            yield kind, key, content
    for kind, content in named.items():
        yield kind, "", content


def _checked(entries: Iterable[StateOrder]) -> dict[tuple[str, str], dict[str, Any]]:
    """The initial state by key, without power levels, which come earlier. Raises InvalidRoomState, InvalidParam."""
    found = {}
    for entry in entries:
        if entry.type in (CREATE, MEMBER):
            raise InvalidRoomState(f"initial_state must not hold {entry.type}")
        if "\0" in entry.type + entry.state_key:
            raise InvalidParam("A type or state key of initial_state holds NUL")
        if (entry.type, entry.state_key) != (POWER_LEVELS, ""):
            found[entry.type, entry.state_key] = entry.content
    return found
