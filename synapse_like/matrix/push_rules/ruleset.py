"""A user's push rules: the default ones, what the user changed about them, and the user's own.

Here: the immutable set, the edits of the `/pushrules` API, the forms for clients and for storage. Not here: matching
(`evaluate`, `compile`) and the HTTP API. A set holds nothing of its owner: all users with unchanged rules share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synapse_like.matrix.errors import InvalidParam, NotFound, TooLarge, Unknown
from synapse_like.matrix.push_rules.actions import Action, parse_actions
from synapse_like.matrix.push_rules.conditions import EventPropertyIs
from synapse_like.matrix.push_rules.defaults import DEFAULT_RULES, MASTER
from synapse_like.matrix.push_rules.rules import Rule, RuleKind, parse_rule

MAX_OWN_RULES = 5000
"""How many rules a user may add; a rule per muted room is what most of them are."""

_NO_OWN_RULES: Mapping[RuleKind, tuple[Rule, ...]] = dict.fromkeys(RuleKind, ())


@dataclass(frozen=True, slots=True)
class DefaultChange:
    """What a user changed about a default rule; None is "nothing"."""

    is_enabled: bool | None = None
    actions: tuple[Action, ...] | None = None

    def apply(self, rule: Rule) -> Rule:
        """Return the rule as the user wants it."""
        if self.is_enabled is not None:
            rule = rule.enabled(self.is_enabled)
        return rule if self.actions is None else rule.acting(self.actions)


class Ruleset:
    """All push rules of a user. Edits return another set; `default()` is where everybody begins."""

    __slots__ = ("_changes", "_own", "in_order")

    in_order: tuple[Rule, ...]
    """The enabled rules, the most important first."""

    def __init__(self, own: Mapping[RuleKind, tuple[Rule, ...]], changes: Mapping[str, DefaultChange]) -> None:
        self._own = own
        self._changes = changes
        self.in_order = tuple(rule for kind in RuleKind for rule in self.rules(kind) if rule.is_enabled)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ruleset) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def default(cls) -> Ruleset:
        """Return the rules of a user who changed nothing: always the same object."""
        return _DEFAULT

    @property
    def is_default(self) -> bool:
        """Whether the user changed nothing."""
        return not self._changes and not any(self._own.values())

    def rules(self, kind: RuleKind) -> Iterator[Rule]:
        """Return the rules of a kind, disabled ones too, the most important first."""
        if kind is RuleKind.OVERRIDE:
            yield self._changed(MASTER)
        yield from self._own[kind]
        for rule in DEFAULT_RULES[kind]:
            yield self._changed(rule)

    def rule(self, kind: RuleKind, rule_id: str) -> Rule:
        """Return one rule; raises NotFound."""
        for rule in self.rules(kind):
            if rule.rule_id == rule_id:
                return rule
        raise NotFound("There is no such push rule")

    def add(
        self,
        kind: RuleKind,
        rule_id: str,
        body: Mapping[str, Any],
        *,
        before: str | None = None,
        after: str | None = None,
    ) -> Ruleset:
        """Add a rule of the user, or replace the one of that id, which stays enabled or disabled as it was.

        `before` and `after` name a rule of the user that it is to be just above or just below; `before` wins. Without
        them a new rule is put on top and a replaced one stays in its place. Raises Unknown if the named rule is not
        there, TooLarge for too many rules, and what `parse_rule` raises.
        """
        rule = parse_rule(kind, rule_id, body)
        old = self._own[kind]
        places = [other.rule_id for other in old]
        place = places.index(rule_id) if rule_id in places else None
        if place is not None:
            rule = rule.enabled(old[place].is_enabled)
        elif sum(map(len, self._own.values())) >= MAX_OWN_RULES:
            raise TooLarge(f"A user has at most {MAX_OWN_RULES} push rules")
        others = [other for other in old if other.rule_id != rule_id]
        others.insert(_place_among(others, before, after, place or 0), rule)
        return self._with_own(kind, tuple(others))

    def delete(self, kind: RuleKind, rule_id: str) -> Ruleset:
        """Remove a rule of the user; raises NotFound, or InvalidParam for a default rule."""
        if self.rule(kind, rule_id).is_default:
            raise InvalidParam("A default push rule cannot be deleted, only disabled")
        return self._with_own(kind, tuple(rule for rule in self._own[kind] if rule.rule_id != rule_id))

    def enable(self, kind: RuleKind, rule_id: str, is_enabled: bool) -> Ruleset:
        """Switch a rule on or off; raises NotFound."""
        return self._with_rule(self.rule(kind, rule_id).enabled(is_enabled))

    def set_actions(self, kind: RuleKind, rule_id: str, actions: object) -> Ruleset:
        """Give a rule other actions, as the client sent them; raises NotFound, BadJson or InvalidParam."""
        return self._with_rule(self.rule(kind, rule_id).acting(parse_actions(actions)))

    def silencing(self, senders: Iterable[str]) -> Ruleset:
        """Return the set with events of some senders silenced before all else: to evaluate, not to show or to store.

        Source: Client-Server API, "Ignoring Users".
        """
        first = tuple(Rule(RuleKind.OVERRIDE, s, (EventPropertyIs(("sender",), s, {}),), ()) for s in sorted(senders))
        return self._with_own(RuleKind.OVERRIDE, first + self._own[RuleKind.OVERRIDE]) if first else self

    def to_client_json(self, user_id: str) -> dict[str, Any]:
        """Return the content of `m.push_rules`, which is also the answer of `GET /pushrules/`."""
        return {
            "global": {kind.value: [rule.to_client_json(user_id) for rule in self.rules(kind)] for kind in RuleKind}
        }

    def to_json(self) -> dict[str, Any]:
        """Return what is to be stored: nothing but what differs from the default rules."""
        stored: dict[str, Any] = {
            kind.value: [_without_default_flag(rule) for rule in rules] for kind, rules in self._own.items() if rules
        }
        if self._changes:
            stored["defaults"] = {rule_id: _change_to_json(change) for rule_id, change in self._changes.items()}
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Ruleset:
        """Return the set that `to_json` stored. Changes to default rules that exist no more are left out."""
        own = {kind: tuple(_stored_rule(kind, json) for json in stored.get(kind.value, ())) for kind in RuleKind}
        changes = {
            rule_id: _change_from_json(json)
            for rule_id, json in stored.get("defaults", {}).items()
            if rule_id in _ORIGINALS
        }
        return cls(own, changes) if changes or any(own.values()) else _DEFAULT

    def _changed(self, rule: Rule) -> Rule:
        change = self._changes.get(rule.rule_id)
        return rule if change is None else change.apply(rule)

    def _with_own(self, kind: RuleKind, rules: tuple[Rule, ...]) -> Ruleset:
        return Ruleset({**self._own, kind: rules}, self._changes)

    def _with_rule(self, rule: Rule) -> Ruleset:
        if not rule.is_default:
            rules = tuple(rule if other.rule_id == rule.rule_id else other for other in self._own[rule.kind])
            return self._with_own(rule.kind, rules)
        original = _ORIGINALS[rule.rule_id]
        change = DefaultChange(
            None if rule.is_enabled == original.is_enabled else rule.is_enabled,
            None if rule.actions == original.actions else rule.actions,
        )
        others = {rule_id: other for rule_id, other in self._changes.items() if rule_id != rule.rule_id}
        return Ruleset(self._own, others if change == DefaultChange() else {**others, rule.rule_id: change})


_ORIGINALS: Mapping[str, Rule] = {rule.rule_id: rule for rules in DEFAULT_RULES.values() for rule in rules} | {
    MASTER.rule_id: MASTER
}
_DEFAULT = Ruleset(_NO_OWN_RULES, {})


def _place_among(others: list[Rule], before: str | None, after: str | None, place: int) -> int:
    anchor = after if before is None else before
    if anchor is None:
        return place
    for index, rule in enumerate(others):
        if rule.rule_id == anchor:
            return index if before is not None else index + 1
    raise Unknown(f"before/after rule not found: {anchor}")


def _without_default_flag(rule: Rule) -> dict[str, Any]:
    json = rule.to_client_json("")
    del json["default"]
    return json


def _stored_rule(kind: RuleKind, json: Mapping[str, Any]) -> Rule:
    return parse_rule(kind, json["rule_id"], json).enabled(json["enabled"])


def _change_to_json(change: DefaultChange) -> dict[str, Any]:
    json: dict[str, Any] = {}
    if change.is_enabled is not None:
        json["enabled"] = change.is_enabled
    if change.actions is not None:
        json["actions"] = list(change.actions)
    return json


def _change_from_json(json: Mapping[str, Any]) -> DefaultChange:
    actions = json.get("actions")
    return DefaultChange(json.get("enabled"), None if actions is None else parse_actions(actions))
