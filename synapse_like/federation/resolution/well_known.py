"""``/.well-known/matrix/server``: asked for, believed for as long as it says, and left alone after a failure.

Source: server-server API, "Resolving server names", step 3, and "Server discovery".
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from synapse_like.matrix.errors import MatrixError
from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.outgoing.client import Answer, BadUrl, HttpClient
from synapse_like.toolkit.randomness import Randomness
from synapse_like.toolkit.shared import SharedWork

USUAL_S: Final = 24 * 60 * 60
LONGEST_S: Final = 48 * 60 * 60
SHORTEST_S: Final = 5 * 60
FIRST_FAILURE_S: Final = 60
LONGEST_FAILURE_S: Final = 60 * 60
LIMIT_BYTES: Final = 50 * 1024
TIMEOUT_S: Final = 15.0
REDIRECTS: Final = 10
KEPT: Final = 10_000
_MAX_AGE: Final = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,10})\"?\s*(?:,|$)", re.IGNORECASE)
_NOT_KEPT: Final = re.compile(r"(?:^|,)\s*(?:no-store|no-cache)\s*(?:,|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Known:
    delegate: str | None
    until_ms: int
    failures: int
    believed_until_ms: int
    """How long the last good answer may be used while the file cannot be fetched."""


class WellKnown:
    """To whom server names are delegated. Kept in this process."""

    def __init__(self, http: HttpClient, clock: Clock, randomness: Randomness, port: int = 443) -> None:
        self._http = http
        self._clock = clock
        self._randomness = randomness
        self._port = port
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._fetches: SharedWork[str, _Known] = SharedWork()

    async def delegate_of(self, host: str) -> str | None:
        """Return the server name that a host delegates to, or None if it does not, or nothing can be found out."""
        known = self._known.get(host)
        if known is None or known.until_ms <= self._clock.monotonic_ms():
            known = await self._fetches.run(host, lambda: self._refresh(host, self._known.get(host)))
        return known.delegate

    async def _refresh(self, host: str, before: _Known | None) -> _Known:
        now_ms = self._clock.monotonic_ms()
        found = await self._fetch(host)
        if found is not None:
            delegate, seconds = found
            lasts_s = int(self._randomness.jitter(min(max(seconds, SHORTEST_S), LONGEST_S), 0.05))
            known = _Known(delegate, now_ms + 1000 * min(lasts_s, LONGEST_S), 0, now_ms + 1000 * LONGEST_S)
        else:
            known = self._after_failure(before, now_ms)
        self._known[host] = known
        self._known.move_to_end(host)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return known

    def _after_failure(self, before: _Known | None, now_ms: int) -> _Known:
        """Try again later, each time after twice as long; a good answer from before holds for up to 48 hours."""
        failures = before.failures + 1 if before is not None else 1
        wait_s = min(FIRST_FAILURE_S * 2 ** min(failures - 1, 10), LONGEST_FAILURE_S)
        until_ms = now_ms + int(1000 * self._randomness.jitter(wait_s * 0.8))
        if before is not None and before.delegate is not None and before.believed_until_ms > now_ms:
            return _Known(before.delegate, min(until_ms, before.believed_until_ms), failures, before.believed_until_ms)
        return _Known(None, until_ms, failures, 0)

    async def _fetch(self, host: str) -> tuple[str, int] | None:
        """Return the delegate and for how many seconds it holds, or None for anything that is no good answer."""
        authority = host if self._port == 443 else f"{host}:{self._port}"
        url = f"https://{authority}/.well-known/matrix/server"
        try:
            answer = await self._http.request(
                "GET", url, timeout_s=TIMEOUT_S, limit_bytes=LIMIT_BYTES, redirects=REDIRECTS
            )
        except (MatrixError, BadUrl):
            return None
        delegate = _delegate_in(answer)
        return None if delegate is None else (delegate, lifetime_s(answer.headers, self._clock.now_ms()))


def _delegate_in(answer: Answer) -> str | None:
    if answer.status != 200:
        return None
    try:
        content: Any = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    delegate = content.get("m.server") if isinstance(content, dict) else None
    return delegate if isinstance(delegate, str) and is_valid_server_name(delegate) else None


def lifetime_s(headers: Headers, now_ms: int) -> int:
    """Return how long an answer says that it holds, in seconds; `USUAL_S` if it does not say."""
    control = ",".join(headers.getall("cache-control"))
    if _NOT_KEPT.search(control):
        return 0
    if found := _MAX_AGE.search(control):
        return int(found[1])
    expires = headers.get("expires")
    if expires is None:
        return USUAL_S
    try:
        return max(0, int(parsedate_to_datetime(expires).timestamp() - now_ms / 1000))
    except (ValueError, TypeError, OverflowError):
        return 0
