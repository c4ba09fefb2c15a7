"""The plugs by which features exchange EDUs with other servers, and the one place where EDUs come in.

A feature declares which facts of which stream other servers are told of (`EduSource`), and what it does with what they
tell (`EduReceiver`); neither knows of transactions, queues or retries. Source: server-server API, "EDUs".
"""

import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from replication.streams import Stream
from synapse_like.matrix.errors import MatrixError
from synapse_like.toolkit.db import Transaction
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

MAX_EDUS = 100
"""The most EDUs in a transaction."""

Content = dict[str, Any]
Receive = Callable[[str, Content], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EduReceiver:
    """What a feature does with EDUs of a type: `receive(origin, content)`.

    The content is any JSON object. `receive` raises a MatrixError for what it refuses; it checks that users whom the
    EDU speaks for are users of the origin.
    """

    edu_type: str
    receive: Receive


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of news for other servers: for those in `rooms`, and `servers` besides.

    Of pieces with the same key that wait for a server only the newest is sent. `number` is that of the fact behind it,
    for durable sources.
    """

    key: Hashable
    content: Content
    rooms: Sequence[str] = ()
    servers: Sequence[str] = ()
    number: int = 0


def each(contents: Sequence[Content]) -> Iterable[Content]:
    """One EDU for each piece."""
    return contents


@dataclass(frozen=True, slots=True, eq=False)
class EduSource:
    """What a feature tells other servers when facts of `stream` come.

    * `pieces`      the news in some facts, in order
    * `concerns`    whether a fact is of interest at all; without it, all are
    * `rooms`       where a fact is of interest: nobody looks at one of rooms without other servers
    * `combine`     makes EDUs out of the contents of pieces that go out together
    * `is_patient`  may wait a little, so that more goes out together (the longer, the more servers are told)
    * `missed`      for a durable source, in a database thread: the news about these local users (ids) with numbers that
      `is_known` does not cover; without it, news that a server misses while it is away are lost
    """

    edu_type: str
    stream: Stream[Any]
    pieces: Callable[[Sequence[Any]], Awaitable[Sequence[Piece]]]
    concerns: Callable[[Any], bool] | None = None
    rooms: Callable[[Any], Sequence[str]] | None = None
    combine: Callable[[Sequence[Content]], Iterable[Content]] = each
    is_patient: bool = False
    missed: Callable[[Transaction, Sequence[str], Callable[[int], bool]], Sequence[Piece]] | None = None


class EduReception:
    """Hands EDUs of other servers to the features that understand them. What nobody understands is passed over."""

    def __init__(self) -> None:
        self._receivers: dict[str, Receive] = {}

    def add(self, receivers: Iterable[EduReceiver]) -> None:
        """Know more types."""
        for receiver in receivers:
            self._receivers[receiver.edu_type] = receiver.receive

    async def receive(self, origin: str, edus: Sequence[Any]) -> None:
        """Take in the EDUs of a transaction, in order. A bad one harms only itself.

        What is beyond the number that a transaction may have is passed over. Raises only outages (`toolkit.outages`):
        the transaction should then fail, so that the other server sends it again.
        """
        if len(edus) > MAX_EDUS:
            logger.warning("%s sent %d EDUs at once; those after %d are ignored", origin, len(edus), MAX_EDUS)
        for edu in edus[:MAX_EDUS]:
            await self._receive(origin, edu)

    async def _receive(self, origin: str, edu: Any) -> None:
        if not isinstance(edu, dict):
            return
        edu_type, content = edu.get("edu_type"), edu.get("content")
        receive = self._receivers.get(edu_type) if isinstance(edu_type, str) else None
        if receive is None or not isinstance(content, dict):
            return
        try:
            await receive(origin, content)
        except MatrixError as error:
            logger.info("an EDU %s of %s is ignored: %s", edu_type, origin, error)
        except OUTAGES:
            raise
        except Exception:
            logger.exception("an EDU %s of %s is ignored", edu_type, origin)
