"""One scene: a cluster, people in rooms, the load; a fault; and what must hold after it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.faults import outcome
from tests.faults.ledger import Ledger
from tests.faults.load import Keeper, Load, Reader, Sender, Walker
from tests.faults.parts import Parts, people
from tests.kit import run_folder
from tests.kit.client import Client

IS_LARGE: Final = os.environ.get("SYNAPSE_LIKE_FAULTS") == "large"
SENDERS: Final = 20
ROOMS: Final = 6
WARM_UP: Final = 3
AFTER: Final = 10 if IS_LARGE else 4
ROUNDS: Final = 5 if IS_LARGE else 1
REPORT: Final = "faults.txt"
"""In the folder of the run: what clients felt, fault by fault."""


@dataclass
class Cast:
    """Who takes part, in rooms that all of them are in but the walkers."""

    room_ids: list[str]
    senders: list[Client]
    readers: list[Client]
    walkers: list[Client]
    keepers: list[Client]


def cast(parts: Parts) -> Cast:
    """Register everybody, make rooms, and let everybody in."""
    senders, readers = people(parts, "sender", SENDERS), people(parts, "reader", 3)
    walkers, keepers = people(parts, "walker", 2), people(parts, "keeper", 2)
    rooms = [senders[number].create_room(preset="public_chat", name=f"Room {number}") for number in range(ROOMS)]
    for number, client in enumerate(senders):
        if number >= ROOMS:
            client.join(rooms[number % ROOMS])
    for client in (*readers, *keepers):
        for room_id in rooms:
            client.join(room_id)
    return Cast(rooms, senders, readers, walkers, keepers)


class Play:
    """Scenes on one cluster: the people stay, what they have sent too."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.cast = cast(parts)
        rooms = self.cast.room_ids
        self.senders = [Sender(client, rooms[number % ROOMS]) for number, client in enumerate(self.cast.senders)]
        self.readers = [Reader(client) for client in self.cast.readers]
        self.walkers = [Walker(client, rooms) for client in self.cast.walkers]
        self.keepers = [Keeper(client, self.senders) for client in self.cast.keepers]

    @contextmanager
    def load(self) -> Iterator[Load]:
        """The load at work, warm."""
        load = Load(Ledger(), [*self.senders, *self.readers, *self.walkers, *self.keepers])
        try:
            load.wait_for_more(WARM_UP, 60)
            yield load
        finally:
            load.ledger.is_over.set()

    def scene(
        self, title: str, fault: Callable[[Load], Any], after: Callable[[], Any] | None = None, broken: int = 0
    ) -> Load:
        """Do harm under load, go on for a while, stop, mend with `after`, and check everything.

        `broken` is how many requests may get no answer at all: those that the proxy was about to hand to the dead.
        """
        with self.load() as load:
            began_s = time.monotonic()
            fault(load)
            load.wait_for_more(AFTER, 60)
            load.stop()
        note(outcome.report(f"{self.parts.bus}: {title}", load, began_s))
        if after is not None:
            after()
        outcome.check(self.parts, load, broken)
        return load


def note(line: str) -> None:
    """Remember a line for the end of the run."""
    with run_folder.locked("faults") as folder, (folder / REPORT).open("a") as report:
        report.write(f"{line}\n")
    print(line, flush=True)
