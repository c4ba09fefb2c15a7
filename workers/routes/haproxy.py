"""Routes as a complete haproxy.cfg, for HAProxy 2.6 and newer.

The flow of a request is the first that matches; kind, key and patience follow from it. Each kind is one backend, whose
processes share requests by a consistent hash of the key, or in turn if there is none.
"""

from collections.abc import Callable, Iterator

from synapse_like.rooms.families import ROOM
from synapse_like.toolkit.http.endpoint import DEFAULT_LIMIT_BYTES, Balance, Timeout
from workers.kinds import MAIN, Kind
from workers.routes.flows import REPEATED_METHODS, REST, Flow
from workers.routes.plan import (
    OVERLOADED,
    QUEUE_SECONDS,
    RETRY_AFTER_SECONDS,
    ROOM_KEY,
    TOO_LARGE,
    UNAVAILABLE,
    Plan,
    described,
)

_HEAD = """\
# haproxy.cfg for synapse-like, made by `python -m workers routes --format haproxy`. Make it again after an upgrade.
#
# Routes are for speed, not for correctness: every process answers every path. Requests go to the kind of process that
# has the room or the user in memory; with no live process of that kind, to main.

global
    log stdout format raw daemon
{commands}    # maxconn follows from the limit of open files (`ulimit -n`): two per request that is waiting.

defaults
    mode http
    log global
    option dontlognull
    # As `option httplog`, but without the query, where tokens may be.
    log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %HM %HP"
    option http-keep-alive
    option abortonclose
    timeout connect 3s
    timeout client 60s
    timeout http-request 30s
    timeout http-keep-alive 60s
    timeout server {patience}s
    # A busy process has a queue. Who waits longer than this is told to come back (429), see the end of the frontend.
    timeout queue {queue}s
    timeout check 1500ms
    # A connection that could not be made is tried at the next process; what was sent is repeated only where harmless.
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
    # Browsers read these answers only with the header for CORS.
    http-error status 503 content-type application/json string '{busy}' {cors} hdr Retry-After {after} hdr X-Proxy busy
    http-error status 502 content-type application/json string '{gone}' {cors} hdr Retry-After {after} hdr X-Proxy gone
    http-error status 504 content-type application/json string '{gone}' {cors} hdr Retry-After {after} hdr X-Proxy gone

resolvers cluster
    parse-resolv-conf
    hold valid 5s

frontend matrix
    bind {listen}
    # With TLS: bind :443 ssl crt /etc/haproxy/example.com.pem alpn h2,http/1.1 (and :8448 for other servers)
    option forwardfor
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Request-ID %[uuid()]
"""

_ROOM = rf"""path,'regsub("^.*?/{ROOM_KEY}.*$","\1")'"""
_WHOLE_ROOM = r"""path,'regsub("^.*?/((?:!|%21)[^/]*).*$","\1")'"""
_ORIGIN = r"""req.fhdr(authorization),'regsub("^.*[ ,]origin=\"?([^\",]+).*$","\1",i)'"""
_CORS = "hdr Access-Control-Allow-Origin *"

_BACKEND = """\

backend {name}
    # {purpose}
    balance hash var(txn.key)
    hash-type consistent sdbm avalanche
    # Who says no answers whom it has, and gets nobody else. Who says nothing is dead: its clients hear it now.
    option httpchk GET {health}
    http-check expect error-status L7OKC status 200
    http-request set-timeout server var(txn.patience_ms)
    http-request disable-l7-retry if {{ var(txn.once) -m bool }}
    default-server check inter 1s fastinter 200ms downinter 500ms fall 3 rise 1 maxconn {most}
    default-server on-marked-down shutdown-sessions
"""


def render(plan: Plan) -> str:
    """The text of haproxy.cfg."""
    return "".join(f"{line}\n" for part in (_frontend, _backends) for line in part(plan))


def _frontend(plan: Plan) -> Iterator[str]:
    commands = f"    stats socket {plan.owners.commands} mode 600 level admin\n" if plan.owners else ""
    yield _HEAD.format(
        commands=commands,
        patience=REST.timeout.value,
        queue=QUEUE_SECONDS,
        busy=_quoted(OVERLOADED),
        gone=_quoted(UNAVAILABLE),
        after=RETRY_AFTER_SECONDS,
        cors=_CORS,
        listen=",".join(str(address) for address in plan.listen),
    )
    yield "    # What a request is: the first flow that matches. What matches none goes to `client` in turn."
    for flow in plan.flows:
        yield from _recognition(flow)
    yield from _kinds(plan)
    yield from _keys(plan)
    yield from _owners(plan)
    yield from _patience(plan)
    yield from _limits(plan)
    yield from _choice(plan)


def _recognition(flow: Flow) -> Iterator[str]:
    yield f"\n    # {flow.name}: {described(flow)}"
    for methods, expressions in flow.expressions.items():
        name = f"{flow.name}_{'_'.join(methods).lower()}"
        for expression in expressions:
            yield f"    acl {name} path_reg ^{expression}$"
        allowed = " ".join((*methods, "HEAD") if "GET" in methods else methods)
        unless_known = "!{ var(txn.flow) -m found }"
        yield f"    http-request set-var(txn.flow) str({flow.name}) if {unless_known} {{ method {allowed} }} {name}"


def _kinds(plan: Plan) -> Iterator[str]:
    yield "\n    # Which kind it goes to"
    yield f"    http-request set-var(txn.kind) str({plan.upstreams.kind_instead_of(REST.kind).name})"
    for kind in plan.upstreams.kinds:
        if names := " ".join(flow.name for flow in plan.flows if plan.kind_of(flow) is kind):
            yield f"    http-request set-var(txn.kind) str({kind.name}) if {{ var(txn.flow) -m str {names} }}"


def _keys(plan: Plan) -> Iterator[str]:
    """The key of a room is the part of its id that needs no encoding; of a user, the hash that its tokens carry."""
    if names := _names(plan, lambda flow: flow.treatment.balance is Balance.ROOM):
        yield "\n    # By which key: a room by its id, without the parts that clients encode in different ways;"
        yield f"    http-request set-var(txn.key) {_ROOM} if {{ var(txn.flow) -m str {names} }}"
    if names := _names(plan, lambda flow: flow.treatment.balance is Balance.USER):
        yield "    # a user by the hash that all tokens of a user have between the first two underscores;"
        yield f"    acl by_user var(txn.flow) -m str {names}"
        yield "    http-request set-var(txn.key) url_param(access_token) if by_user"
        yield "    http-request set-var(txn.key) req.fhdr(authorization) if by_user { req.hdr(authorization) -m found }"
        yield "    http-request set-var(txn.key) var(txn.key),field(2,_) if by_user { var(txn.key) -m sub slt_ }"
    if names := _names(plan, lambda flow: flow.treatment.balance is Balance.ORIGIN):
        yield "    # another server by the name that it signs with."
        yield f"    http-request set-var(txn.key) {_ORIGIN} if {{ var(txn.flow) -m str {names} }}"


def _owners(plan: Plan) -> Iterator[str]:
    """The owner of a room, for requests that its owner answers."""
    names = _names(plan, lambda flow: _is_for_owners(flow))
    if plan.owners is None or not names:
        return
    yield "\n    # Who owns the room, as the database says: asked first, so that nobody has to pass the request on"
    owner = f"{_WHOLE_ROOM},url_dec,crc32,mod({ROOM.shards}),map({plan.owners.path})"
    yield f"    http-request set-var(txn.owner) {owner} if {{ var(txn.flow) -m str {names} }}"


def _is_for_owners(flow: Flow) -> bool:
    return flow.treatment.balance is Balance.ROOM and ROOM in flow.treatment.kind.owns


def _patience(plan: Plan) -> Iterator[str]:
    yield "\n    # How long an answer may take, and what must not be sent twice"
    yield f"    http-request set-var(txn.patience_ms) int({REST.timeout.value * 1000})"
    for timeout in Timeout:
        names = " ".join(flow.name for flow in plan.flows if flow.treatment.timeout is timeout)
        if names and timeout is not REST.timeout:
            then = f"if {{ var(txn.flow) -m str {names} }}"
            yield f"    http-request set-var(txn.patience_ms) int({timeout.value * 1000}) {then}"
    repeated = " ".join(REPEATED_METHODS)
    yield f"    http-request set-var(txn.once) bool(true) if !{{ method {repeated} }} !{{ var(txn.flow) -m found }}"
    if names := _names(plan, lambda flow: not flow.treatment.is_idempotent):
        yield f"    http-request set-var(txn.once) bool(true) if {{ var(txn.flow) -m str {names} }}"


def _limits(plan: Plan) -> Iterator[str]:
    yield "\n    # How long a body may be; a process holds finer limits by itself"
    larger = _names(plan, lambda flow: flow.treatment.limit_bytes > DEFAULT_LIMIT_BYTES)
    refuse = f"http-request return status 413 content-type application/json string '{_quoted(TOO_LARGE)}' {_CORS}"
    unless = f" !{{ var(txn.flow) -m str {larger} }}" if larger else ""
    yield f"    {refuse} if {{ req.hdr_val(content-length) gt {DEFAULT_LIMIT_BYTES} }}{unless}"
    for flow in plan.flows:
        if (limit := flow.treatment.limit_bytes) > DEFAULT_LIMIT_BYTES:
            of_flow = f"{{ var(txn.flow) -m str {flow.name} }}"
            yield f"    {refuse} if {{ req.hdr_val(content-length) gt {limit} }} {of_flow}"


def _choice(plan: Plan) -> Iterator[str]:
    others = [kind for kind in plan.upstreams.kinds if kind is not MAIN]
    yield "\n    # Nobody there: come back soon. Nobody of the kind there: main does it, or whoever is there."
    gone = " ".join(f"{{ nbsrv({kind.name}) eq 0 }}" for kind in plan.upstreams.kinds)
    reply = f"status 503 content-type application/json string '{_quoted(UNAVAILABLE)}' {_CORS} hdr Retry-After"
    yield f"    http-request return {reply} {RETRY_AFTER_SECONDS} if {gone}"
    for kind in others:
        lost = f"{{ var(txn.kind) -m str {kind.name} }} {{ nbsrv({kind.name}) eq 0 }}"
        yield f"    http-request set-var(txn.kind) str(main) if {lost}"
    for kind in others:
        lost = f"{{ var(txn.kind) -m str main }} {{ nbsrv(main) eq 0 }} {{ nbsrv({kind.name}) gt 0 }}"
        yield f"    http-request set-var(txn.kind) str({kind.name}) if {lost}"
    yield "    use_backend %[var(txn.kind)]"
    yield "\n    # Refused by this proxy, because a queue is full: 429, and when to come. A process died, or"
    yield "    # took too long, and what became of the request is not known: 503, as a process says that does not."
    yield '    http-after-response set-status 429 reason "Too Many Requests" if { res.hdr(X-Proxy) -m str busy }'
    yield '    http-after-response set-status 503 reason "Service Unavailable" if { res.hdr(X-Proxy) -m str gone }'
    yield "    http-after-response del-header X-Proxy"


def _backends(plan: Plan) -> Iterator[str]:
    for kind in plan.upstreams.kinds:
        most = plan.most_requests(kind)
        yield _BACKEND.format(name=kind.name, purpose=kind.purpose, health=plan.health, most=most).rstrip("\n")
        if plan.owners is not None and ROOM in kind.owns:
            yield "    use-server %[var(txn.owner)] if { var(txn.owner) -m found }"
        yield from _servers(plan, kind)


def _servers(plan: Plan, kind: Kind) -> Iterator[str]:
    for number, address in enumerate(plan.upstreams.addresses[kind], 1):
        if address.is_name:
            yield f"    server-template {kind.name}{number}- 32 {address} resolvers cluster init-addr none"
        else:
            yield f"    server {kind.name}{number} {address}"


def _names(plan: Plan, wanted: Callable[[Flow], bool]) -> str:
    return " ".join(flow.name for flow in plan.flows if wanted(flow))


def _quoted(text: str) -> str:
    """Text inside single quotes."""
    return text.replace("'", "")
