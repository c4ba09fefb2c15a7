"""An HTTP client for addresses in the form of URLs: push gateways, pages, well-known files."""

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

from twisted.internet.defer import Deferred, TimeoutError

from synapse_like.matrix.errors import ConnectionTimeout
from synapse_like.toolkit.http.headers import Headers
from synapse_like.toolkit.http.outgoing.bodies import Collected
from synapse_like.toolkit.http.outgoing.connecting import Connector
from synapse_like.toolkit.http.outgoing.connection import HttpConnection
from synapse_like.toolkit.http.outgoing.errors import AnswerMalformed
from synapse_like.toolkit.http.outgoing.pool import Pool

T = TypeVar("T")

USER_AGENT: Final = "synapse-like"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LONGEST_URL: Final = 8192


class BadUrl(ValueError):
    """This is no http or https URL that can be asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What another server answered."""

    status: int
    headers: Headers
    body: bytes
    url: str
    """Where the answer came from, after redirects."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, without its address."""

    method: str
    headers: Mapping[str, str]
    body: bytes = b""

    def to_bytes(self, host: str, target: str) -> bytes:
        """Return the request as it goes over the wire. Raises ValueError for what would break out of its line."""
        lines = [f"{self.method} {target} HTTP/1.1", f"Host: {host}", f"User-Agent: {USER_AGENT}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body or self.method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(self.body)}")
        if any("\r" in line or "\n" in line or "\0" in line for line in lines) or " " in target:
            raise ValueError("A request must not span lines")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


class Tls(Protocol):
    """Rules for TLS: `ClientTls`, or something that picks one by name."""

    def peer(self, name: str) -> Any:
        """Return what Twisted connects with to a peer that must prove to be `name`."""


class HttpClient:
    """Asks servers by URL, over connections that are kept. Every address goes through the connector's rules."""

    def __init__(self, reactor: Any, connector: Connector, tls: Tls, pool: Pool) -> None:
        self._reactor = reactor
        self._connector = connector
        self._tls = tls
        self._pool = pool

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 30.0,
        limit_bytes: int = 1024 * 1024,
        redirects: int = 0,
    ) -> Answer:
        """Return the answer, whatever its status. A GET follows so many redirects (never from https to http).

        Raises BadUrl, ConnectionFailed, ConnectionTimeout, AnswerTooLarge or AnswerMalformed.
        """
        sent = Sent(method, headers or {}, body)
        return await within(self._reactor, timeout_s, self._follow(sent, url, limit_bytes, redirects))

    async def _follow(self, sent: Sent, url: str, limit_bytes: int, redirects: int) -> Answer:
        seen = {url}
        while True:
            answer = await self._ask(sent, url, limit_bytes)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None or len(seen) > redirects:
                return answer
            target = urljoin(url, location)
            if target in seen or (url.startswith("https:") and not target.startswith("https:")):
                raise AnswerMalformed("The other server redirects in a circle, or away from https")
            seen.add(target)
            url = target

    async def _ask(self, sent: Sent, url: str, limit_bytes: int) -> Answer:
        parts, host, port = split_url(url)
        is_tls = parts.scheme == "https"
        peer = self._tls.peer(host) if is_tls else None
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sink = Collected(limit_bytes)

        async def connect() -> HttpConnection:
            return await self._connector.connect(host, port, HttpConnection, peer)

        request = sent.to_bytes(parts.netloc, target)
        await self._pool.exchange((parts.scheme, host, port), connect, request, sink)
        return Answer(sink.status, sink.headers, sink.body, url)


def split_url(url: str) -> tuple[SplitResult, str, int]:
    """Return a URL's parts, its host (IPv6 without brackets) and its port. Raises BadUrl."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise BadUrl(str(error)) from None
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST_URL
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not is_plain:
        raise BadUrl("This is no http or https URL")
    return parts, parts.hostname, port


async def within(reactor: Any, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, or stop it and raise ConnectionTimeout when the time is over."""
    try:
        running: Deferred[T] = Deferred.fromCoroutine(work)
        return await running.addTimeout(seconds, reactor)
    except TimeoutError:
        raise ConnectionTimeout() from None
