"""Endpoints of push rules. The only scope is `global`."""

from typing import Any

import msgspec

from synapse_like.features.push_rules.logic import PushRules
from synapse_like.matrix.push_rules import Rule, RuleKind, parse_kind
from synapse_like.toolkit.http import Balance, Request, client, endpoint

_RULE = "/pushrules/global/{kind}/{rule_id}"
_WRITES = ("push_rules",)


class EnabledBody(msgspec.Struct):
    """PUT .../enabled."""

    enabled: bool


class ActionsBody(msgspec.Struct):
    """PUT .../actions."""

    actions: list[Any]


class PushRulesApi:
    """Push rules, as a whole and one by one."""

    def __init__(self, rules: PushRules) -> None:
        self._rules = rules

    @endpoint("GET", client("/pushrules/"), client("/pushrules"))
    async def get_all(self, request: Request) -> dict[str, Any]:
        """All rules of all scopes."""
        return await self._rules.client_json(request.requester.user_id)

    @endpoint("GET", client("/pushrules/global/"), client("/pushrules/global"))
    async def get_global(self, request: Request) -> Any:
        """All rules."""
        return (await self._rules.client_json(request.requester.user_id))["global"]

    @endpoint("GET", client("/pushrules/global/{kind}/"), client("/pushrules/global/{kind}"))
    async def get_kind(self, request: Request) -> list[dict[str, Any]]:
        """The rules of a kind."""
        user_id = request.requester.user_id
        kind = parse_kind(request.params["kind"])
        return [rule.to_client_json(user_id) for rule in (await self._rules.of(user_id)).rules(kind)]

    @endpoint("GET", client(_RULE))
    async def get_rule(self, request: Request) -> dict[str, Any]:
        """One rule."""
        return (await self._rule(request)).to_client_json(request.requester.user_id)

    @endpoint("PUT", client(_RULE), body=dict, writes=_WRITES, balance=Balance.USER)
    async def put_rule(self, request: Request[dict[str, Any]]) -> dict[str, Any]:
        """Make a rule, or replace it; `before` and `after` say where it stands."""
        kind, rule_id = _named(request)
        before, after = request.query.get("before"), request.query.get("after")
        await self._rules.change(
            request.requester.user_id,
            lambda rules: rules.add(kind, rule_id, request.body, before=before, after=after),
        )
        return {}

    @endpoint("DELETE", client(_RULE), writes=_WRITES, balance=Balance.USER)
    async def delete_rule(self, request: Request) -> dict[str, Any]:
        """Remove a rule."""
        kind, rule_id = _named(request)
        await self._rules.change(request.requester.user_id, lambda rules: rules.delete(kind, rule_id))
        return {}

    @endpoint("GET", client(_RULE + "/enabled"))
    async def get_enabled(self, request: Request) -> dict[str, Any]:
        """Whether a rule is switched on."""
        return {"enabled": (await self._rule(request)).is_enabled}

    @endpoint("PUT", client(_RULE + "/enabled"), body=EnabledBody, writes=_WRITES, balance=Balance.USER)
    async def put_enabled(self, request: Request[EnabledBody]) -> dict[str, Any]:
        """Switch a rule on or off."""
        kind, rule_id = _named(request)
        is_enabled = request.body.enabled
        await self._rules.change(request.requester.user_id, lambda rules: rules.enable(kind, rule_id, is_enabled))
        return {}

    @endpoint("GET", client(_RULE + "/actions"))
    async def get_actions(self, request: Request) -> dict[str, Any]:
        """What a rule does."""
        return {"actions": list((await self._rule(request)).actions)}

    @endpoint("PUT", client(_RULE + "/actions"), body=ActionsBody, writes=_WRITES, balance=Balance.USER)
    async def put_actions(self, request: Request[ActionsBody]) -> dict[str, Any]:
        """Give a rule other actions."""
        kind, rule_id = _named(request)
        actions = request.body.actions
        await self._rules.change(request.requester.user_id, lambda rules: rules.set_actions(kind, rule_id, actions))
        return {}

    async def _rule(self, request: Request[Any]) -> Rule:
        return (await self._rules.of(request.requester.user_id)).rule(*_named(request))


def _named(request: Request[Any]) -> tuple[RuleKind, str]:
    """The kind and id in the path."""
    return parse_kind(request.params["kind"]), request.params["rule_id"]
