"""URLs for routing tables: every path of every endpoint, with its aliases, in the ways that clients write them.

What each must lead to is asked of the server's own router.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from synapse_like.matrix.errors import MatrixError
from synapse_like.toolkit.http.endpoint import Balance, Endpoint
from synapse_like.toolkit.http.router import Router
from workers.kinds import CLIENT, Kind, kind_for

ROOMS = ("!xq-5_Yv0kAAAA:example.com", "!l0ng-JRr1lYXaS_Ne6Rz0A4hUqXhLh2m0v9S1dWb3c4")
VALUES = {
    "event_id": "$a/b+c:d",
    "user_id": "@bob:example.com",
    "room_alias": "#über/uns:example.com",
    "room_id_or_alias": "#lobby:example.com",
    "event_type": "m.room.message",
    "transaction_id": "1.2/3",
    "state_key": "@bob:example.com",
    "key": "displayname",
    "tag": "u.work/life",
    "rule_id": ".m.rule.master",
    "server_name": "other.example:8448",
}
ODD = (
    ("GET", "/"),
    ("GET", "/nothing/here"),
    ("GET", "/_matrix/client/v3/nothing"),
    ("GET", "/_matrix/client/v3/sync/"),
    ("GET", "/_matrix/client/v3/syncing"),
    ("GET", "/_matrix/client/v9/sync"),
    ("GET", "/x/_matrix/client/v3/sync"),
    ("GET", "//_matrix/client/v3/sync"),
    ("GET", "/_matrix/client/v3/rooms//messages"),
    ("POST", "/_matrix/client/v3/sync"),
    ("PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message"),
    ("PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1/2"),
    ("PUT", "/_matrix/client/v3/rooms/!a:b/send/a/b/c/d"),
    ("PUT", "/_matrix/client/v3/rooms/!a%2Fc:b/send/a/b"),
    ("PUT", "/_matrix/client/v3/rooms/!a:b/state/m.room.topic/"),
    ("PUT", "/_matrix/client/v3/rooms/!a:b/state/m.room.topic"),
    ("PUT", "/_matrix/client/v3/rooms/nonsense/send/a/b"),
    ("OPTIONS", "/_matrix/client/v3/sync"),
    ("PATCH", "/_matrix/client/v3/sync"),
)
ENCODED_WORD = ("GET", "/_matrix/client/v3/s%79nc")
"""An endpoint whose words are percent-encoded: no table follows it, and any process answers."""


@dataclass(frozen=True)
class Url:
    """One request, the kind that must answer it, and by what it sticks to one process."""

    method: str
    target: str
    kind: Kind
    balance: Balance


class Judge:
    """Says what a request must lead to."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._router = Router((endpoint, _nothing) for endpoint in endpoints)

    def url(self, method: str, target: str) -> Url:
        """The request with what must become of it."""
        try:
            endpoint = self._router.match(method, target.partition("?")[0]).route.endpoint
        except MatrixError:
            return Url(method, target, CLIENT, Balance.NONE)
        if method not in (endpoint.method, "HEAD"):
            return Url(method, target, CLIENT, Balance.NONE)
        return Url(method, target, kind_for(endpoint), endpoint.balance)


def corpus(endpoints: Iterable[Endpoint]) -> Iterator[Url]:
    """All endpoints by all their paths, written in several ways, and odd requests."""
    listed = list(endpoints)
    judge = Judge(listed)
    for endpoint in listed:
        for template in endpoint.paths:
            for target in sorted(_written(template)):
                yield judge.url(endpoint.method, target)
        if endpoint.method == "GET":
            yield judge.url("HEAD", sorted(_written(endpoint.paths[0]))[0])
    for method, target in ODD:
        yield judge.url(method, target)


def fill(template: str, room_id: str = ROOMS[0], safe: str = "") -> str:
    """A template with values, percent-encoded but for `safe`."""
    parts = []
    for part in template.split("/"):
        name = part.strip("{*}")
        value = room_id if name in ("room_id", "room_id_or_alias") else VALUES.get(name, name)
        parts.append(quote(value, safe=safe) if part.startswith("{") else part)
    return "/".join(parts)


def _written(template: str) -> set[str]:
    everything = fill(template)
    little = fill(template, ROOMS[1], safe="!$@:,+")
    lower = fill(template, safe="!").replace("%2F", "%2f").replace("%3A", "%3a")
    return {
        everything,
        little,
        lower,
        f"{little}?access_token=slt_00aa11bb_secret_0123&a=/_matrix/client/v3/sync",
        f"{everything}?",
    }


async def _nothing(request: Any) -> None:
    """No request is answered here."""
