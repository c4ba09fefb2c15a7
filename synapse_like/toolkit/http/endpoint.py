"""How an endpoint is declared: who may call it, what it takes, what it writes, who serves it.

Declarations are data on the methods of a feature's api class. Routing tables, documentation and the map of workers
are derived from them with :func:`declared`; a running process uses :func:`bound`. Matching a path is in ``router``,
calling a handler is in ``app``.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, TypedDict, TypeVar, Unpack

import msgspec

from synapse_like.toolkit.http.request import Request

Handler = Callable[[Request[Any]], Awaitable[Any]]
"""Answers a request with a ``Reply``, or with what becomes the JSON body of a 200: a mapping, struct or list."""

BoundEndpoint = tuple["Endpoint", Handler]

BodyType = type[msgspec.Struct] | type[dict[str, Any]]
"""What a JSON body becomes: a struct, or ``dict`` for any JSON object."""

DEFAULT_LIMIT_BYTES: Final = 1024 * 1024
"""Longest body taken where the endpoint says nothing; events have their own, smaller limit."""

_ATTRIBUTE: Final = "__endpoints__"
_F = TypeVar("_F", bound=Callable[..., Awaitable[Any]])


class Auth(Enum):
    """Who may call."""

    NONE = "none"
    """Anybody; a token is not looked at."""
    OPTIONAL = "optional"
    """Anybody; if there is a token it must be good."""
    USER = "user"
    """Users, but no guests."""
    GUEST = "guest"
    """Users and guests."""
    LOCKED_OK = "locked_ok"
    """Users and guests, even when their account is locked (logging out)."""
    ADMIN = "admin"
    """Administrators of this server."""
    FEDERATION = "federation"
    """Other servers, whose signature over the request is good; ``Request.origin`` is the server's name."""


class Balance(Enum):
    """What a load balancer hashes, so that requests that belong together meet the same process."""

    NONE = "none"
    ROOM = "room"
    USER = "user"
    ORIGIN = "origin"


class Timeout(Enum):
    """How patient a proxy in front of the endpoint must be; the value is in seconds."""

    NORMAL = 60
    LONG_POLL = 300
    """Waits for something to happen, as /sync does."""
    SLOW = 600
    """Waits for other servers or large bodies, as a join or an upload does."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One declaration: a method, its paths, and everything that routing and checks need to know about it."""

    method: str
    """``GET``, ``PUT``, ``POST`` or ``DELETE``; HEAD and OPTIONS come by themselves."""
    paths: tuple[str, ...]
    """Templates like ``/_matrix/client/v3/rooms/{room_id}/typing/{user_id}``; see ``router`` for the grammar."""
    auth: Auth = Auth.USER
    body: BodyType | None = None
    """What the JSON body becomes; None leaves it as bytes in ``Request.raw_body``."""
    balance: Balance = Balance.NONE
    writes: tuple[str, ...] = ()
    """Names of the streams that the handler writes; empty if it only reads."""
    pool: str = "client"
    """Name of the pool of processes that serves it when it writes nothing."""
    limit_bytes: int = DEFAULT_LIMIT_BYTES
    timeout: Timeout = Timeout.NORMAL
    is_idempotent: bool = True
    """True if a proxy may send the request again after a lost connection."""
    resource: str = "client"
    """Name of the listener resource that it belongs to: client, federation, keys, media, health, ..."""
    allows_empty_body: bool = False
    """True if an empty body counts as ``{}``."""
    is_cancellable: bool = False
    """True if the handler may be stopped half-way when its client has gone: only for handlers that write nothing."""
    is_constant: bool = False
    """True if nothing that is written changes the answer: any process gives it, without asking how far the logs are."""
    name: str = ""
    """``Class.method`` of the handler, for logs and metrics; filled in by :func:`declared`."""


class Options(TypedDict, total=False):
    """What ``@endpoint`` takes by name; every key is a field of :class:`Endpoint` and documented there."""

    auth: Auth
    body: BodyType | None
    balance: Balance
    writes: tuple[str, ...]
    pool: str
    limit_bytes: int
    timeout: Timeout
    is_idempotent: bool
    resource: str
    allows_empty_body: bool
    is_cancellable: bool
    is_constant: bool


def endpoint(method: str, *paths: str | tuple[str, ...], **options: Unpack[Options]) -> Callable[[_F], _F]:
    """Declare that the decorated method of an api class answers ``method`` on ``paths``; may be stacked.

    Unless said otherwise, repeating anything but a POST is harmless, and a POST may come without a body.
    """
    flat = tuple(path for given in paths for path in ((given,) if isinstance(given, str) else given))
    options.setdefault("is_idempotent", method != "POST")
    options.setdefault("allows_empty_body", method == "POST")
    declaration = Endpoint(method, flat, **options)

    def declare(function: _F) -> _F:
        earlier: tuple[Endpoint, ...] = getattr(function, _ATTRIBUTE, ())
        setattr(function, _ATTRIBUTE, (replace(declaration, name=function.__qualname__), *earlier))
        return function

    return declare


def declared(api: type) -> list[Endpoint]:
    """Return what a class declares, its parents' declarations first, without making an instance."""
    return [endpoint for _, endpoint in _declarations(api)]


def bound(api: object) -> list[BoundEndpoint]:
    """Return what an instance declares, each declaration with the method that answers it."""
    return [(endpoint, getattr(api, method)) for method, endpoint in _declarations(type(api))]


def _declarations(api: type) -> Iterator[tuple[str, Endpoint]]:
    """Yield (name of the method, declaration), each method once, as the most derived class has it."""
    names = dict.fromkeys(name for cls in reversed(api.__mro__) for name in vars(cls))
    for name in names:
        for declaration in getattr(getattr(api, name), _ATTRIBUTE, ()):
            yield name, declaration
