"""What a push rule does with an event that it matches.

Here: the parsed form of `actions` and its validation. Not here: delivering anything.
Source: Client-Server API, "Push Rules", "Actions".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synapse_like.matrix.errors import BadJson, InvalidParam

Action = str | Mapping[str, Any]

_IGNORED_ACTIONS = frozenset({"dont_notify", "coalesce"})
_MAX_ACTIONS = 32


@dataclass(frozen=True, slots=True)
class Actions:
    """The result of evaluating push rules for one member: `highlight` and `sound` mean nothing without `notify`.

    `tweaks` holds every tweak, those that a push gateway is to be handed unread among them.
    """

    notify: bool = False
    highlight: bool = False
    sound: str | None = None
    tweaks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> tuple[bool, bool]:
        """The part that unread counts are made of: (notify, highlight)."""
        return self.notify, self.highlight


NO_ACTIONS = Actions()
"""Nothing is done: no rule matched, a rule without actions did, or the member sent the event."""


def interpret(actions: Sequence[Action]) -> Actions:
    """Work out what a rule's list of actions asks for; without `notify` it asks for nothing."""
    if "notify" not in actions:
        return NO_ACTIONS
    tweaks: dict[str, Any] = {}
    for action in actions:
        if isinstance(action, Mapping):
            name = action["set_tweak"]
            tweaks[name] = action.get("value", True if name == "highlight" else None)
    sound = tweaks.get("sound")
    return Actions(True, tweaks.get("highlight") is True, sound if isinstance(sound, str) else None, tweaks)


def parse_actions(json: object) -> tuple[Action, ...]:
    """Check the `actions` that a client sent and drop the historical ones, which mean nothing.

    Raises BadJson for a wrong shape and InvalidParam for an action that does not exist.
    """
    if not isinstance(json, list) or len(json) > _MAX_ACTIONS:
        raise BadJson(f"'actions' must be a list of at most {_MAX_ACTIONS} actions")
    return tuple(_parse_action(action) for action in json if not _is_historical(action))


def _is_historical(action: object) -> bool:
    return isinstance(action, str) and action in _IGNORED_ACTIONS


def _parse_action(action: object) -> Action:
    if action == "notify":
        return "notify"
    if isinstance(action, dict) and isinstance(action.get("set_tweak"), str):
        return action
    if isinstance(action, str | dict):
        raise InvalidParam("An action is 'notify' or an object with 'set_tweak'")
    raise BadJson("An action is a string or an object")
