"""Routes as a file for nginx's http block, for nginx 1.20 and newer.

The flow of a request is found by a map over method and raw URI, so that percent-encoded slashes stay where they are;
each flow has a location of its own, since nginx knows time limits and limits of bodies by location only.
"""

from collections.abc import Iterator

from synapse_like.toolkit.http.endpoint import Balance, Timeout
from workers.kinds import MAIN, Kind
from workers.routes.flows import REPEATED_METHODS, REST, Treatment
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

_UNKNOWN = "rest"
_UNKNOWN_ONCE = "rest_once"
_REPEATED = "|".join(REPEATED_METHODS)

_HEAD = """\
# synapse-like.conf for the http block of nginx, made by `python -m workers routes --format nginx`.
# Make it again after an upgrade.
#
# Routes are for speed, not for correctness: every process answers every path. Requests go to the kind of process that
# has the room or the user in memory, by a consistent hash; if no process of the kind can be reached, to main.
# This nginx checks no health by itself: a process that fails is left alone for two seconds. Names are resolved when
# nginx starts: reload it when processes come and go.

# What a request is: the first flow that matches. What matches none goes to `client` in turn.
map "$request_method $request_uri" $synapse_like_flow {"""

_MAPS = f"""\
    "~^(?:{_REPEATED}) " {_UNKNOWN};
    default {_UNKNOWN_ONCE};
}}

# A room is known by its id, without the parts that clients encode in different ways.
map $request_uri $synapse_like_room {{
    "~/{ROOM_KEY}" $1;
    default "";
}}

# A user is known by the hash that all tokens of a user carry; other tokens count as a whole.
map "$http_authorization $arg_access_token" $synapse_like_user {{
    "~{USER_KEY}" $1;
    " " "";
    default "$http_authorization $arg_access_token";
}}

# Another server is known by the name that it signs with.
map $http_authorization $synapse_like_origin {{
    '~*[ ,]origin="?([^",]+)' $1;
    default "";
}}
"""

_SERVER = """\

# Paths without the query, where tokens may be.
map $request_uri $synapse_like_path {{
    "~^([^?]*)" $1;
}}
log_format synapse_like '$remote_addr [$time_local] $request_method $synapse_like_path $status $body_bytes_sent '
                        '$request_time $upstream_addr $synapse_like_flow $request_id';

limit_conn_zone $synapse_like_kind zone=synapse_like:1m;
limit_conn_status 429;

server {{
{listen}
    # With TLS: listen 443 ssl http2; listen 8448 ssl http2; ssl_certificate ...; ssl_certificate_key ...;
    access_log /dev/stdout synapse_like;
    recursive_error_pages on;
    rewrite ^ /=$synapse_like_flow last;

    proxy_http_version 1.1;
    proxy_connect_timeout 3s;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Request-ID $request_id;
"""

_REPLIES = f"""
    # No process of the kind could be reached: main does it. What must not be repeated, only if nothing was sent yet.
    location @main {{
        error_page 502 503 504 = @unavailable;
        proxy_pass http://synapse_like_main$request_uri;
    }}
    location @main_once {{
        error_page 502 503 504 = @unavailable;
        if ($upstream_bytes_sent ~ "[1-9]") {{
            return 503;
        }}
        proxy_next_upstream off;
        proxy_pass http://synapse_like_main$request_uri;
    }}
    location @busy {{
        default_type application/json;
        add_header Retry-After {RETRY_AFTER_SECONDS} always;
        add_header Access-Control-Allow-Origin * always;
        return 429 '{OVERLOADED}';
    }}
    location @unavailable {{
        default_type application/json;
        add_header Retry-After {RETRY_AFTER_SECONDS} always;
        add_header Access-Control-Allow-Origin * always;
        return 503 '{UNAVAILABLE}';
    }}
    location @too_large {{
        default_type application/json;
        add_header Access-Control-Allow-Origin * always;
        return 413 '{TOO_LARGE}';
    }}
}}
"""


def render(plan: Plan) -> str:
    """The text of the file."""
    return "".join(f"{line}\n" for part in (_maps, _upstreams, _server) for line in part(plan))


def _maps(plan: Plan) -> Iterator[str]:
    yield _HEAD
    for flow in plan.flows:
        yield f"    # {flow.name}: {described(flow)}"
        for methods, expressions in flow.expressions.items():
            allowed = "|".join((*methods, "HEAD") if "GET" in methods else methods)
            for expression in expressions:
                yield f'    "~^(?:{allowed}) {expression}(?:\\?|$)" {flow.name};'
    yield _MAPS
    yield "map $synapse_like_flow $synapse_like_kind {"
    for flow in plan.flows:
        yield f"    {flow.name} {plan.kind_of(flow).name};"
    yield f"    default {plan.upstreams.kind_instead_of(REST.kind).name};\n}}\n"
    yield "map $synapse_like_flow $synapse_like_key {"
    for flow in plan.flows:
        if flow.treatment.balance is not Balance.NONE:
            yield f"    {flow.name} $synapse_like_{flow.treatment.balance.value};"
    yield '    default "";\n}'


def _upstreams(plan: Plan) -> Iterator[str]:
    for kind in plan.upstreams.kinds:
        yield f"\nupstream synapse_like_{kind.name} {{"
        yield f"    # {kind.purpose}"
        yield "    hash $synapse_like_key consistent;"
        for address in plan.upstreams.addresses[kind]:
            yield f"    server {address} max_fails=1 fail_timeout=2s;"
        yield "    keepalive 64;\n}"


def _server(plan: Plan) -> Iterator[str]:
    yield _SERVER.format(listen="\n".join(f"    listen {address};" for address in plan.listen)).rstrip("\n")
    for flow in plan.flows:
        yield from _location(plan, flow.name, flow.treatment)
    yield from _location(plan, _UNKNOWN, REST)
    yield from _location(plan, _UNKNOWN_ONCE, REST, is_repeated=False)
    yield _REPLIES.rstrip("\n")


def _location(plan: Plan, name: str, treatment: Treatment, is_repeated: bool | None = None) -> Iterator[str]:
    kind = plan.upstreams.kind_instead_of(treatment.kind)
    repeats = treatment.is_idempotent if is_repeated is None else is_repeated
    yield f"\n    location = /={name} {{"
    yield "        internal;"
    yield f"        client_max_body_size {treatment.limit_bytes // 2**20}m;"
    if treatment.timeout is not Timeout.NORMAL:
        yield f"        proxy_read_timeout {treatment.timeout.value}s;"
        yield f"        proxy_send_timeout {treatment.timeout.value}s;"
    yield f"        limit_conn synapse_like {_most(plan, kind)};"
    yield f"        proxy_next_upstream {'error non_idempotent' if repeats else 'error'};"
    if kind is not MAIN:
        yield f"        error_page 502 504 = {'@main' if repeats else '@main_once'};"
    else:
        yield "        error_page 502 504 = @unavailable;"
    yield "        error_page 429 = @busy;"
    yield "        error_page 413 = @too_large;"
    yield f"        proxy_pass http://synapse_like_{kind.name}$request_uri;"
    yield "    }"


def _most(plan: Plan, kind: Kind) -> int:
    return min(65_535, plan.most_requests(kind) * len(plan.upstreams.addresses[kind]))
