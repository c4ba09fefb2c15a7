"""What all connections of one listener share."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Protocol

from synapse_like.toolkit.http.access_log import AccessLog
from synapse_like.toolkit.http.app import App
from synapse_like.toolkit.http.limits import Limits
from synapse_like.toolkit.http.proxies import TrustedProxies
from synapse_like.toolkit.http.reader import Head
from synapse_like.toolkit.http.request import Request
from synapse_like.toolkit.logs import current_process

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:@/+=-]{1,128}")
_numbers: Final = count(1)


class WallClock(Protocol):
    """The part of the clock that is used here."""

    def now_ms(self) -> int:
        """Return the time of day in milliseconds since 1970."""


class Environment(Protocol):
    """The part of a reactor that connections use."""

    def seconds(self) -> float:
        """Return a time in seconds, for measuring."""

    def run_in_thread(self, call: Callable[[bytes], bytes], argument: bytes) -> Awaitable[bytes]:
        """Return what the call returns, made in a thread."""


@dataclass(frozen=True, slots=True)
class Site:
    """One listener's answers and rules."""

    app: App
    clock: WallClock
    access_log: AccessLog = field(default_factory=AccessLog)
    limits: Limits = field(default_factory=Limits)
    proxies: TrustedProxies | None = None
    """Whose ``X-Forwarded-For`` is believed; None if nobody's (``x_forwarded`` is off)."""
    request_id_header: str | None = None
    """Header that a proxy names requests in."""

    def request_of(self, head: Head, peer: str) -> Request[Any]:
        """Return the request that a head begins; its body comes later. ``peer`` is the other end of the connection."""
        return Request(
            head.method,
            head.target,
            head.headers,
            client_ip=peer if self.proxies is None else self.proxies.client_ip(peer, head.headers),
            received_ms=self.clock.now_ms(),
            request_id=self._request_id(head),
        )

    def _request_id(self, head: Head) -> str:
        given = head.headers.get(self.request_id_header) if self.request_id_header else None
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        name = current_process()[1]
        return f"{head.method}-{next(_numbers)}" + ("" if name == "main" else f"@{name}")
