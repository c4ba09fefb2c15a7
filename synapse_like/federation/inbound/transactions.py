"""A transaction of another server: read, verified, handed on room by room; answered once, however often it comes."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from synapse_like.federation.edus import EduReception
from synapse_like.federation.inbound import sql
from synapse_like.federation.inbound.intake import RoomIntake, by_room
from synapse_like.federation.pdus import PduReader, parse
from synapse_like.matrix.errors import BadJson, MatrixError
from synapse_like.matrix.events import Event
from synapse_like.matrix.room_versions import ROOM_VERSIONS, room_version
from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.db import Database
from synapse_like.toolkit.locks import KeyedLocks
from synapse_like.toolkit.outages import OUTAGES

logger = logging.getLogger(__name__)

MOST_PDUS: Final = 50
MOST_EDUS: Final = 100
KEPT_MS: Final = 24 * 60 * 60 * 1000
"""How long answers are kept: nobody repeats a transaction after that."""

Answer = dict[str, Any]


class Transactions:
    """Takes transactions of other servers; those of one server one after the other."""

    def __init__(
        self, intake: RoomIntake, edus: EduReception, reader: PduReader, database: Database, clock: Clock
    ) -> None:
        self._intake = intake
        self._edus = edus
        self._reader = reader
        self._database = database
        self._clock = clock
        self._turns = KeyedLocks()

    async def take(self, origin: str, transaction_id: str, body: Mapping[str, Any]) -> Answer:
        """Take a transaction in; the result of each PDU by event id. Raises BadJson, and outages (try again)."""
        pdus, edus = _list(body, "pdus", MOST_PDUS), _list(body, "edus", MOST_EDUS)
        async with self._turns.hold(origin):
            known = await self._database.read(lambda txn: sql.answer(txn, origin, transaction_id))
            if known is not None:
                answer: Answer = orjson.loads(known)
                return answer
            answer = {"pdus": await self._take_pdus(origin, pdus)}
            await self._edus.receive(origin, edus)
            text, now_ms = orjson.dumps(answer).decode(), self._clock.now_ms()
            await self._database.write(lambda txn: sql.answered(txn, origin, transaction_id, now_ms, text))
            return answer

    async def forget_old(self) -> None:
        """Forget answers that nobody will ask for again."""
        before_ms = self._clock.now_ms() - KEPT_MS
        await self._database.write(lambda txn: sql.forget_answers(txn, before_ms))

    async def _take_pdus(self, origin: str, pdus: Sequence[Any]) -> dict[str, dict[str, str]]:
        refused: dict[str, str] = {}
        events = await self._parsed(pdus, refused)
        results: dict[str, dict[str, str]] = {event.event_id: {} for event in events}
        events = await self._reader.verified(events, refused)
        refused |= await self._hand_on(origin, events)
        if refused:
            logger.info("of %d events of %s these are refused: %s", len(pdus), origin, refused)
        return results | {event_id: {"error": reason} for event_id, reason in refused.items()}

    async def _parsed(self, pdus: Sequence[Any], refused: dict[str, str]) -> list[Event]:
        """The events of rooms that we know; PDUs of others are passed over."""
        named = [(pdu.get("room_id"), pdu) for pdu in pdus if isinstance(pdu, dict)]
        room_ids = sorted({name for name, _ in named if isinstance(name, str) and "\0" not in name})
        if not room_ids:
            return []
        versions = await self._database.read(lambda txn: sql.versions(txn, room_ids))
        events: dict[str, Event] = {}
        for room_id, pdu in named:
            version = versions.get(room_id) if isinstance(room_id, str) else None
            if version is None or version not in ROOM_VERSIONS:
                continue
            event = parse(pdu, room_version(version), refused)
            if event is not None and event.room_id == room_id:
                events[event.event_id] = event
        return list(events.values())

    async def _hand_on(self, origin: str, events: Sequence[Event]) -> dict[str, str]:
        """Give each room's owner its events, all at once. If one of them cannot take them, raises."""
        groups = by_room(events)
        waiting = [
            Deferred.fromCoroutine(self._intake.take(room_id, origin, group)) for room_id, group in groups.items()
        ]
        refused: dict[str, str] = {}
        outage: BaseException | None = None
        for (room_id, group), (is_done, result) in zip(
            groups.items(), await DeferredList(waiting, consumeErrors=True), strict=True
        ):
            if is_done and isinstance(result, dict):
                refused |= result
            elif isinstance(result, Failure):
                error = result.value
                if isinstance(error, OUTAGES):
                    outage = error
                else:
                    reason = str(error) if isinstance(error, MatrixError) else "This server could not take it"
                    logger.error("events of %s in %s failed: %s", origin, room_id, result.getTraceback())
                    refused |= {sent.event_id: reason for sent in group}
        if outage is not None:
            raise outage
        return refused


def _list(body: Mapping[str, Any], name: str, most: int) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise BadJson(f"{name} must be a list")
    if len(value) > most:
        raise BadJson(f"A transaction has at most {most} {name}")
    return value
