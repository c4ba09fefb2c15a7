"""Fetching keys: from the server itself, and from servers that are trusted to know the keys of others.

Each server is asked for its keys by one caller at a time, and not again for a while, whatever came of it.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, DeferredSemaphore

from synapse_like.federation.keys.documents import BadKeyDocument, ServerKey, read_document
from synapse_like.federation.keys.notaries import Notaries
from synapse_like.federation.keys.store import KeyStore
from synapse_like.matrix.errors import MatrixError
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.shared import SharedWork
from synapse_like.toolkit.together import together

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
LIMIT_BYTES: Final = 64 * 1024
LONGEST_S: Final = 60.0
AT_ONCE: Final = 100
ASKED_AGAIN_MS: Final = 60 * 1000
KEPT: Final = 20_000

Wanted = Mapping[str, int]
"""Until when keys are to be valid at least, in milliseconds, by key id."""


class Sources(Enum):
    """Who is asked for keys, in which order."""

    SERVER_FIRST = (True, False)
    """The server itself: it is there, as it has just sent something."""
    NOTARIES_FIRST = (False, True)
    """The trusted servers: one request for many servers, also for those that are gone."""
    SERVER_ONLY = (True,)
    """For the keys of trusted servers themselves."""


class Getter(Protocol):
    """The part of `FederationClient` that is used here."""

    async def get(
        self, destination: str, path: str, *, timeout_s: float = 0, limit_bytes: int = 0, is_forced: bool = False
    ) -> Any:
        """Return the JSON that the server answers."""


class KeyFetcher:
    """Fetches keys and puts them into the store."""

    def __init__(self, client: Getter, notaries: Notaries, store: KeyStore, clock: Clock) -> None:
        self._client = client
        self._notaries = notaries
        self._store = store
        self._clock = clock
        self._under_way: SharedWork[tuple[str, str], None] = SharedWork()
        self._asked: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._slots = DeferredSemaphore(AT_ONCE)

    async def fetch(self, wanted: Mapping[str, Wanted], sources: Sources) -> None:
        """Fetch the keys of servers (by server and key id), all at the same time. Failures are logged, not raised.

        Returns after `LONGEST_S` at the latest; what has not come by then still goes into the store when it comes.
        """
        is_over: Deferred[None] = Deferred()
        fetching = Deferred.fromCoroutine(together([self._fetch(*each, sources) for each in wanted.items()]))
        fetching.addCallbacks(lambda _: _end(is_over), lambda failure: _end(is_over, failure))
        limit = self._clock.call_later(LONGEST_S, lambda: _end(is_over))
        try:
            await is_over
        finally:
            limit.cancel()

    async def _fetch(self, server: str, wanted: Wanted, sources: Sources) -> None:
        for is_server in sources.value:
            missing = self._missing(server, wanted)
            if not missing:
                return
            if is_server:
                await self._once((server, ""), lambda: self._from_server(server))
            else:
                await together([self._from_notaries(server, *each) for each in missing.items()])

    async def _from_notaries(self, server: str, key_id: str, until_ms: int) -> None:
        await self._once((server, key_id), lambda: self._notaries.keys_of(server, key_id, until_ms))

    async def _once(self, question: tuple[str, str], ask: Callable[[], Awaitable[list[ServerKey]]]) -> None:
        """Ask, and store the answer, unless somebody has asked a moment ago: then wait for that answer."""
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._asked.get(question, -ASKED_AGAIN_MS) < ASKED_AGAIN_MS:
            await self._under_way.join(question)
            return

        async def ask_and_store() -> None:
            try:
                await self._store.add(await ask())
            except BaseException:  # such as an outage of the database: nobody knows the answer yet
                self._asked.pop(question, None)
                raise

        self._asked[question] = now_ms
        self._asked.move_to_end(question)
        while len(self._asked) > KEPT:
            self._asked.popitem(last=False)
        await self._under_way.run(question, ask_and_store)

    async def _from_server(self, server: str) -> list[ServerKey]:
        try:
            document = await self._slots.run(self._get, server)
            return read_document(document, server, self._clock.now_ms())
        except BadKeyDocument as error:
            logger.warning("The keys of %s cannot be used: %s", server, error)
        except MatrixError as error:
            logger.info("The keys of %s cannot be fetched: %s", server, error)
        return []

    def _get(self, server: str) -> "Deferred[Any]":
        path = "/_matrix/key/v2/server"
        return Deferred.fromCoroutine(
            self._client.get(server, path, timeout_s=TIMEOUT_S, limit_bytes=LIMIT_BYTES, is_forced=True)
        )

    def _missing(self, server: str, wanted: Wanted) -> dict[str, int]:
        return {name: until_ms for name, until_ms in wanted.items() if not self._store.holds((server, name), until_ms)}


def _end(waiter: "Deferred[None]", failure: Any = None) -> None:
    """End a wait, if it has not ended by itself."""
    if waiter.called:
        return
    if failure is None:
        waiter.callback(None)
    else:
        waiter.errback(failure)
