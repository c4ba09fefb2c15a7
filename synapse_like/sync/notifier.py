"""Who listens to which ids: what ends long polls, and in which rooms something happened between two of them.

A fact ends the polls that listen to an id which its stream names. Whoever polls on is listened for in between as well,
so that neither coming back nor an answer costs anything for rooms in which nothing happens, however many they are.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Final

from twisted.internet.defer import Deferred

from replication.bus import Frame
from replication.positions import Vector
from replication.reader import Reader
from synapse_like.rooms.families import ROOM
from synapse_like.toolkit.clock import Clock

KEPT_MS: Final = 30_000
"""For how long somebody is listened for who does not come back."""


class Watch:
    """Some ids that somebody listens to. Begun before an answer is computed, so that nothing falls in between."""

    __slots__ = ("_began", "_waiters", "heard", "holders", "keys", "rings", "rooms")

    def __init__(self, keys: Sequence[str], rooms: Sequence[str], began: Vector) -> None:
        self.keys = keys
        self.rooms = rooms
        self.heard: dict[str, int] = {}
        """The number of the last fact in each room where there was one."""
        self.rings = 0
        self.holders = 0
        """How many requests use it now."""
        self._began = began
        self._waiters: list[Deferred[bool]] = []

    def touched(self, since: Vector) -> list[str] | None:
        """The rooms in which something happened after this place; None for a place before those that it has been told.

        Forgets what happened up to there.
        """
        if not since.reaches(self._began):
            return None
        self._began = since
        self.heard = {room_id: number for room_id, number in self.heard.items() if not since.covers(number)}
        return list(self.heard)

    def ring(self) -> None:
        """Something happened to one of the ids."""
        self.rings += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(True)

    async def wait(self, clock: Clock, seconds: float, rings: int = 0) -> bool:
        """Wait until it has rung more than `rings` times, at most so long; whether it has."""
        if self.rings != rings or seconds <= 0:
            return self.rings != rings
        waiter: Deferred[bool] = Deferred()
        self._waiters.append(waiter)
        timeout = clock.call_later(seconds, lambda: waiter.callback(False) if not waiter.called else None)
        try:
            return await waiter
        finally:
            timeout.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)


class Notifier:
    """Who listens to what."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self.is_closed = False
        """Nobody waits any more: the process stops."""
        self.polls = 0
        """How many requests listen."""
        self._reader = reader
        self._clock = clock
        self._listening: dict[str, set[Watch]] = {}
        self._kept: dict[Hashable, Watch] = {}
        self._idle: OrderedDict[Hashable, int] = OrderedDict()
        """Those who are between two polls, and since when, in milliseconds."""
        reader.on_facts(self._note)
        reader.on_advance(self._ring)

    def listen(self, keys: Sequence[str]) -> Watch:
        """Listen to some ids for one request, which gives the watch back with `drop`."""
        self.polls += 1
        return self._begin(keys, ())

    def drop(self, watch: Watch) -> None:
        """Listen no more."""
        self.polls -= 1
        self._end(watch)

    def follow(self, who: Hashable, user_id: str, rooms: Sequence[str]) -> Watch:
        """Listen for somebody who polls on: to the user's id and those of rooms. Give the watch back with `leave`.

        It is the watch of the last poll if `rooms` is the same object as it was then.
        """
        watch = self._kept.get(who)
        if watch is None or watch.rooms is not rooms:
            if self._idle.pop(who, None) is not None and watch is not None:
                self._end(watch)
            watch = self._kept[who] = self._begin((user_id, *rooms), rooms)
        elif not watch.holders:
            del self._idle[who]
        watch.holders += 1
        self.polls += 1
        return watch

    def leave(self, who: Hashable, watch: Watch) -> None:
        """A poll has been answered; its client is listened for until it comes back, for a while."""
        self.polls -= 1
        watch.holders -= 1
        if watch.holders:
            return
        if self._kept.get(who) is not watch:
            self._end(watch)
            return
        now_ms = self._clock.monotonic_ms()
        self._idle[who] = now_ms
        while next(iter(self._idle.values())) <= now_ms - KEPT_MS:
            gone, _ = self._idle.popitem(last=False)
            self._end(self._kept.pop(gone))

    def close(self) -> None:
        """End all long polls, for good."""
        self.is_closed = True
        for watch in {watch for watches in self._listening.values() for watch in watches}:
            watch.ring()

    def _begin(self, keys: Sequence[str], rooms: Sequence[str]) -> Watch:
        watch = Watch(keys, rooms, self._reader.positions[ROOM.name])
        for key in keys:
            self._listening.setdefault(key, set()).add(watch)
        return watch

    def _end(self, watch: Watch) -> None:
        for key in watch.keys:
            watches = self._listening.get(key)
            if watches is not None:
                watches.discard(watch)
                if not watches:
                    del self._listening[key]

    def _note(self, frame: Frame) -> None:
        """Remember in which rooms something happens, before anybody can be answered up to there."""
        if frame.family != ROOM.name or not self._listening:
            return
        for name, fact in frame.facts:
            stream = self._reader.stream(name)
            room_id, number = stream.key_of(fact), fact.number
            for key in stream.woken_by(fact):
                for watch in self._listening.get(key, ()):
                    watch.heard[room_id] = number

    def _ring(self, frame: Frame) -> None:
        if not self._listening:
            return
        rung: set[Watch] = set()
        for name, fact in frame.facts:
            for key in self._reader.stream(name).woken_by(fact):
                rung.update(self._listening.get(key, ()))
        for watch in rung:
            watch.ring()
