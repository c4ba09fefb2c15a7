"""The limits that the server puts on connections and requests, with what they default to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes, waits in seconds. What an endpoint takes as a body is said by the endpoint."""

    request_line_bytes: int = 16 * 1024
    """Longest path with query; beyond it 414. Filters travel in the query."""
    header_bytes: int = 64 * 1024
    """All headers of a request together; beyond it 431."""
    header_count: int = 100
    header_seconds: float = 30.0
    """From the first byte of a request to the end of its headers."""
    body_idle_seconds: float = 60.0
    """Longest silence within a body."""
    keep_alive_seconds: float = 180.0
    """How long a connection may be idle between requests; longer than proxies keep theirs is wise."""
    write_seconds: float = 600.0
    """How long a client may take to fetch a reply that is ready."""
    linger_seconds: float = 2.0
    """How long input is read and thrown away after a refusal, so that the client gets to read it."""
    pipelined_requests: int = 16
    """How many requests of one connection are read ahead."""
    connections: int = 20_000
    """Of one listener; a further one is closed at once."""
    compress_from_bytes: int = 1024
    """Replies of this size and more are compressed for clients that accept it."""
