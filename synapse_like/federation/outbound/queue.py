"""What one destination is to get, in memory: events in order, news by key, the transaction that is under way.

No I/O and no clock here. What does not fit is given up, and caught up with from the logs later (`catch_up`).
"""

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from synapse_like.federation.edus import MAX_EDUS, EduSource
from synapse_like.federation.outbound.pdus import Pdu
from synapse_like.federation.outbound.positions import Place, Positions
from synapse_like.matrix.canonical_json import canonical_json
from synapse_like.rooms.families import ROOM

MAX_PDUS: Final = 50
"""The most events in a transaction."""
KEPT_PDUS: Final = 500
KEPT_NEWS: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """One piece of news for this destination."""

    source: EduSource
    content: dict[str, Any]
    number: int

    @property
    def place(self) -> Place | None:
        """Where the fact behind it stands, if it must arrive."""
        return (self.source.stream.family.name, self.number) if self.source.missed and self.number else None


@dataclass(slots=True, eq=False)
class Transaction:
    """What goes out together, under one id however often it is tried. `stored` are ids in `outbound_edus`."""

    id: str
    pdus: list[Pdu]
    news: list[News]
    stored: list[int]
    edus: list[dict[str, Any]]
    refusals: int = 0
    _body: bytes | None = None

    def body(self, origin: str, now_ms: int) -> bytes:
        """The canonical JSON that is sent, at every try the same. Source: server-server API, "Transactions"."""
        if self._body is None:
            edus = b'"edus":[%s],' % b",".join(map(canonical_json, self.edus)) if self.edus else b""
            pdus = b",".join([pdu.json for pdu in self.pdus])
            head = b'"origin":%s,"origin_server_ts":%d' % (canonical_json(origin), now_ms)
            self._body = b'{%s%s,"pdus":[%s]}' % (edus, head, pdus)
        return self._body


@dataclass(slots=True, eq=False)
class Queue:
    """One destination. It is *attached* while it is fed by what happens, and *lags* while it has a position of its own.

    * neither lagging nor failing: attached; the cursor of its shard waits for what it has not acknowledged
    * lagging, not attached: it has been away for long; nothing is kept for it but its position
    * lagging and attached: it has nearly caught up; of what happened up to `start` it gets to know otherwise
    """

    destination: str
    shard: int
    lag: Positions | None = None
    is_attached: bool = True
    is_filling: bool = False
    """Attached, but what it has missed is still being read."""
    start: Positions | None = None
    stored_lag: Positions | None = None
    """What the database has as its position."""
    pdus: deque[Pdu] = field(default_factory=deque)
    news: dict[Hashable, News] = field(default_factory=dict)
    has_stored: bool = False
    flying: Transaction | None = None
    is_running: bool = False
    is_closed: bool = False
    due_ms: int | None = None
    """When patient news are to go out, if nothing else goes before."""
    timer: Any = None
    refused_until_ms: int = 0
    """When to try again after the server has refused a transaction (0: it has not)."""

    def expects(self, place: Place) -> bool:
        """Whether it is to be told of a fact that has just happened."""
        return self.is_attached and (self.start is None or not self.start.covers(place))

    @property
    def is_overfull(self) -> bool:
        """Whether more is waiting than memory should hold for one destination."""
        return len(self.pdus) > KEPT_PDUS

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.pdus or self.news or self.has_stored or self.flying or self.lag)

    def add_news(self, key: Hashable, news: News) -> None:
        """Note news; older ones of the same key are forgotten, and of too many the oldest that need not arrive."""
        self.news.pop(key, None)
        self.news[key] = news
        if len(self.news) > KEPT_NEWS:
            oldest = next((key for key, each in self.news.items() if each.place is None), None)
            if oldest is not None:
                del self.news[oldest]

    def places(self) -> Iterator[Place]:
        """Of what is not acknowledged and can be found in the logs again."""
        flying = self.flying
        if self.pdus:
            yield from ((ROOM.name, pdu.number) for pdu in self.pdus)
        if flying is not None:
            yield from ((ROOM.name, pdu.number) for pdu in flying.pdus)
        for news in (*self.news.values(), *(flying.news if flying else ())):
            if (place := news.place) is not None:
                yield place

    def acknowledged(self, now: Positions) -> Positions:
        """Up to where this destination has everything, if the logs have been followed up to `now`."""
        if self.lag is not None and (self.is_filling or not self.is_attached):
            return self.lag
        return now.before(self.places())

    def give_up(self, now: Positions) -> None:
        """Keep nothing but the position (and what is stored): it will catch up from the logs."""
        if self.lag is None:
            self.lag = self.acknowledged(now)
        self.is_attached, self.start = False, None
        self.pdus.clear()
        self.news.clear()
        self.has_stored = self.has_stored or bool(self.flying and self.flying.stored)
        self.flying = None
        self.due_ms = None

    def next_transaction(self, new_id: str, stored: Sequence[tuple[int, str, dict[str, Any]]]) -> Transaction | None:
        """Take out what goes next; `stored` are the first of the stored EDUs. None if there is nothing."""
        pdus = [self.pdus.popleft() for _ in range(min(MAX_PDUS, len(self.pdus)))]
        keys = list(self.news)[: max(0, MAX_EDUS - len(stored))]
        news = [self.news.pop(key) for key in keys]
        if not self.news:
            self.due_ms = None
        if not (pdus or news or stored):
            return None
        edus = [{"edu_type": edu_type, "content": content} for _, edu_type, content in stored]
        by_source: dict[EduSource, list[dict[str, Any]]] = {}
        for each in news:
            by_source.setdefault(each.source, []).append(each.content)
        for source, contents in by_source.items():
            edus += [{"edu_type": source.edu_type, "content": content} for content in source.combine(contents)]
        self.flying = Transaction(new_id, pdus, news, [each[0] for each in stored], edus[:MAX_EDUS])
        return self.flying
