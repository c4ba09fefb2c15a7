"""From a reply to the bytes on the wire: status line, headers that every reply has, compression."""

import zlib
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from synapse_like.toolkit.http.reply import Reply

SERVER_NAME: Final = "synapse-like"
THREAD_FROM_BYTES: Final = 256 * 1024
"""Bodies of this size are compressed in a thread, smaller ones at once."""

Compress = Callable[[bytes], bytes]
RunInThread = Callable[[Compress, bytes], Awaitable[bytes]]

_EVERY_REPLY: Final = (
    f"Server: {SERVER_NAME}\r\n"
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"
    "Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization, Date\r\n"
    "Access-Control-Expose-Headers: Retry-After, ETag, Server\r\n"
)
_NOT_CACHED: Final = "Cache-Control: no-cache, no-store, must-revalidate\r\n"
_COMPRESSIBLE: Final = ("application/json", "text/", "application/javascript", "image/svg+xml")
_WITHOUT_BODY: Final = frozenset({204, 304})


def render(reply: Reply, now_ms: int, *, is_head: bool, keeps_alive: bool) -> bytes:
    """Return the whole reply. A reply to HEAD tells the length of the body that it leaves out."""
    lines = [_status_line(reply.status), "Date: ", _date(now_ms // 1000), "\r\n", _EVERY_REPLY]
    names = {name.lower() for name, _ in reply.headers} if reply.headers else ()
    if "cache-control" not in names:
        lines.append(_NOT_CACHED)
    if reply.status not in _WITHOUT_BODY:
        lines.append(f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n")
    lines.extend(f"{name}: {value}\r\n" for name, value in reply.headers)
    lines.append("\r\n" if keeps_alive else "Connection: close\r\n\r\n")
    head = "".join(lines).encode("utf-8")
    return head if is_head or reply.status in _WITHOUT_BODY else head + reply.body


async def compress(reply: Reply, accepted: str | None, run_in_thread: RunInThread) -> None:
    """Replace the body by a compressed one if its type is worth it and ``accepted`` (Accept-Encoding) allows it."""
    body = reply.body
    if not reply.content_type.startswith(_COMPRESSIBLE):
        return
    if any(name.lower() == "content-encoding" for name, _ in reply.headers):
        return
    reply.add_header("Vary", "Accept-Encoding")
    if accepted is None or not accepts_gzip(accepted):
        return
    reply.body = gzipped(body) if len(body) < THREAD_FROM_BYTES else await run_in_thread(gzipped, body)
    reply.add_header("Content-Encoding", "gzip")


def gzipped(body: bytes) -> bytes:
    """Return the body in gzip format, compressed fast rather than well."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


@lru_cache(maxsize=256)
def accepts_gzip(accepted: str) -> bool:
    """Return whether an ``Accept-Encoding`` header allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, str] = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.replace(" ", "")
    weight = weights.get("gzip", weights.get("*", "q=0"))
    return not weight.startswith("q=0") or weight.strip("q=0.") != ""


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    try:
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    except ValueError:
        return f"HTTP/1.1 {status} \r\n"


@lru_cache(maxsize=2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
