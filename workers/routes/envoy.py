"""Routes as a static bootstrap configuration for Envoy, made for version 1.40.

Each expression of a flow is a route; keys are hash policies of the route, each kind is a ring-hash cluster, with the
processes of main as its second priority.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from synapse_like.toolkit.http.endpoint import DEFAULT_LIMIT_BYTES, Balance
from workers.kinds import MAIN, Kind
from workers.routes.flows import REPEATED_METHODS, REST, Flow, Treatment
from workers.routes.plan import (
    OVERLOADED,
    RETRY_AFTER_SECONDS,
    ROOM_KEY,
    TOO_LARGE,
    UNAVAILABLE,
    USER_KEY,
    Plan,
    described,
)

_HEAD = """\
# envoy.yaml for synapse-like, made by `python -m workers routes --format envoy`. Make it again after an upgrade.
#
# Routes are for speed, not for correctness: every process answers every path. Requests go to the kind of process that
# has the room or the user in memory, by a ring hash of the key; with no live process of that kind, to main, which is
# the second priority of every cluster. What matches no route before the last ones goes to `client` in turn.
#
# Keys: a room by its id, without the parts that clients encode in different ways; a user by the hash that all tokens
# of a user carry; another server by the name that it signs with. A full queue is answered with 429 and Retry-After.

"""
_TYPES: Final = "type.googleapis.com/envoy.extensions"
_OVERLOADED_FLAGS: Final = ["UO"]
_GONE_FLAGS: Final = ["UH", "UF", "UC", "URX", "LR", "UR"]
_SPILL: Final = 10_000
"""Per cent by which the living are counted as more than they are: one of a hundred keeps requests from main."""
_RUNTIME: Final = {
    "layers": [{"name": "regexes", "static_layer": {"re2.max_program_size.error_level": 5000}}],
}
_SAFE_TO_REPEAT: Final = "connect-failure,refused-stream"


class _Plain(yaml.SafeDumper):
    """Writes what stands in several places several times, instead of naming it."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def render(plan: Plan) -> str:
    """The text of envoy.yaml."""
    clusters = [_cluster(plan, kind) for kind in plan.upstreams.kinds]
    document = {"static_resources": {"listeners": [_listener(plan)], "clusters": clusters}, "layered_runtime": _RUNTIME}
    text = yaml.dump(document, Dumper=_Plain, sort_keys=False, width=10_000)
    words = {flow.name: described(flow) for flow in plan.flows}
    return _HEAD + re.sub(r"^( *)- name: (\w+)\n", lambda found: _commented(found, words), text, flags=re.MULTILINE)


def _commented(found: "re.Match[str]", words: dict[str, str]) -> str:
    said = words.get(found[2])
    return f"{found[1]}# {said}\n{found[0]}" if said else found[0]


def _listener(plan: Plan) -> dict[str, Any]:
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "matrix",
        "use_remote_address": True,
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "stream_idle_timeout": "660s",
        "request_headers_timeout": "30s",
        "http_filters": _filters(),
        "local_reply_config": {"mappers": _replies()},
        "route_config": {
            "name": "matrix",
            "virtual_hosts": [
                {
                    "name": "matrix",
                    "domains": ["*"],
                    "retry_policy": _repeats(True),
                    "routes": list(_routes(plan)),
                }
            ],
        },
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    first, *more = [_socket(address) for address in plan.listen]
    further = {"additional_addresses": [{"address": each} for each in more]} if more else {}
    return {"name": "matrix", "address": first, **further, "filter_chains": [{"filters": filters}]}


def _socket(address: Any) -> dict[str, Any]:
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _filters() -> list[dict[str, Any]]:
    buffer = {"@type": f"{_TYPES}.filters.http.buffer.v3.Buffer", "max_request_bytes": DEFAULT_LIMIT_BYTES}
    router = {"@type": f"{_TYPES}.filters.http.router.v3.Router"}
    return [
        {"name": "envoy.filters.http.buffer", "typed_config": buffer},
        {"name": "envoy.filters.http.router", "typed_config": router},
    ]


def _replies() -> list[dict[str, Any]]:
    """What Envoy answers by itself, as Matrix errors that browsers may read."""
    again = {"header": {"key": "Retry-After", "value": str(RETRY_AFTER_SECONDS)}}
    cors = {"header": {"key": "Access-Control-Allow-Origin", "value": "*"}}
    too_large = {
        "status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 413, "runtime_key": "too_large"}}}
    }
    return [
        _reply({"response_flag_filter": {"flags": _OVERLOADED_FLAGS}}, 429, OVERLOADED, [again, cors]),
        _reply({"response_flag_filter": {"flags": _GONE_FLAGS}}, 503, UNAVAILABLE, [again, cors]),
        _reply(too_large, 413, TOO_LARGE, [cors]),
    ]


def _reply(wanted: dict[str, Any], status: int, body: str, headers: list[Any]) -> dict[str, Any]:
    shape = {"json_format": json.loads(body)}
    return {"filter": wanted, "status_code": status, "body_format_override": shape, "headers_to_add": headers}


def _routes(plan: Plan) -> Iterator[dict[str, Any]]:
    for flow in plan.flows:
        for methods, expressions in flow.expressions.items():
            for expression in expressions:
                yield from _routes_of(plan, flow, methods, expression)
    for methods, repeated in ((REPEATED_METHODS, True), ((), False)):
        match = {"prefix": "/", **({"headers": [_methods(methods)]} if methods else {})}
        yield {"name": "rest", "match": match, "route": _action(plan, REST, [], repeated)}


def _routes_of(plan: Plan, flow: Flow, methods: tuple[str, ...], expression: str) -> Iterator[dict[str, Any]]:
    """The routes of one expression: two where the token may be in the query."""
    match = {"safe_regex": {"regex": expression}, "headers": [_methods(methods)]}
    treatment, limits = flow.treatment, _limits(flow.treatment)
    if treatment.balance is Balance.USER:
        in_query = {**match, "query_parameters": [{"name": "access_token", "present_match": True}]}
        key = [_header(":path", f"^.*{USER_KEY}.*$")]
        yield {
            "name": flow.name,
            "match": in_query,
            "route": _action(plan, treatment, key, treatment.is_idempotent),
            **limits,
        }
    keys = {
        Balance.NONE: [],
        Balance.ROOM: [_header(":path", f"^.*?/{ROOM_KEY}.*$")],
        Balance.USER: [_header("authorization", f"^.*{USER_KEY}.*$")],
        Balance.ORIGIN: [_header("authorization", '^.*[ ,]origin="?([^",]+).*$')],
    }
    action = _action(plan, treatment, keys[treatment.balance], treatment.is_idempotent)
    yield {"name": flow.name, "match": match, "route": action, **limits}


def _methods(methods: tuple[str, ...]) -> dict[str, Any]:
    allowed = "|".join((*methods, "HEAD") if "GET" in methods else methods)
    return {"name": ":method", "string_match": {"safe_regex": {"regex": allowed}}}


def _header(name: str, expression: str) -> dict[str, Any]:
    rewrite = {"pattern": {"regex": expression}, "substitution": r"\1"}
    return {"header": {"header_name": name, "regex_rewrite": rewrite}}


def _action(plan: Plan, treatment: Treatment, keys: list[Any], is_repeated: bool) -> dict[str, Any]:
    action: dict[str, Any] = {
        "cluster": plan.upstreams.kind_instead_of(treatment.kind).name,
        "timeout": f"{treatment.timeout.value}s",
    }
    if not is_repeated:
        action["retry_policy"] = _repeats(False)
    return {**action, "hash_policy": keys} if keys else action


def _repeats(is_repeated: bool) -> dict[str, Any]:
    """At another process; what was sent already only where that is harmless."""
    predicate = {
        "name": "envoy.retry_host_predicates.previous_hosts",
        "typed_config": {"@type": f"{_TYPES}.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
    }
    return {
        "retry_on": _SAFE_TO_REPEAT + (",reset" if is_repeated else ""),
        "num_retries": 3,
        "retry_host_predicate": [predicate],
        "host_selection_retry_max_attempts": "32",
    }


def _limits(treatment: Treatment) -> dict[str, Any]:
    if treatment.limit_bytes <= DEFAULT_LIMIT_BYTES:
        return {}
    of_route = {
        "@type": f"{_TYPES}.filters.http.buffer.v3.BufferPerRoute",
        "buffer": {"max_request_bytes": treatment.limit_bytes},
    }
    return {"typed_per_filter_config": {"envoy.filters.http.buffer": of_route}}


def _cluster(plan: Plan, kind: Kind) -> dict[str, Any]:
    addresses = plan.upstreams.addresses
    groups = [_endpoints(plan, kind, 0)] + ([] if kind is MAIN else [_endpoints(plan, MAIN, 1)])
    is_named = any(address.is_name for group in (kind, MAIN) for address in addresses[group])
    most = plan.most_requests(kind) * len(addresses[kind])
    limits = {"max_connections": most, "max_pending_requests": most, "max_requests": most, "max_retries": most}
    check = {
        "timeout": "1s",
        "interval": "1s",
        "no_traffic_interval": "1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": plan.health},
    }
    return {
        "name": kind.name,
        "type": "STRICT_DNS" if is_named else "STATIC",
        "connect_timeout": "3s",
        "lb_policy": "RING_HASH",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [limits]},
        "health_checks": [check],
        "load_assignment": {
            "cluster_name": kind.name,
            "policy": {"overprovisioning_factor": _SPILL},
            "endpoints": groups,
        },
    }


def _endpoints(plan: Plan, kind: Kind, priority: int) -> dict[str, Any]:
    found = [{"endpoint": {"address": _socket(address)}} for address in plan.upstreams.addresses[kind]]
    return {"priority": priority, "lb_endpoints": found}
