"""``python -m tests.replication.log_program ENGINE ARGUMENTS ROUND``: twenty writers append notes until killed.

Each line printed is an acknowledged note: its text (round:writer:index) and its number. ROUND 0 makes the tables.
"""

import json
import os
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from synapse_like.toolkit.db import Database, open_engine
from tests.replication.notes import FAMILY, NOTES, Note, Site

WRITERS = 20


async def write(site: Site, round_number: int, writer: int) -> None:
    """Append one note after the other, each after the last was acknowledged."""
    index = 0
    while True:
        note = Note(page=f"{writer}", text=f"{round_number}:{writer}:{index}")
        await site.log.append(writer % FAMILY.shards, note.page, [(NOTES, note)])
        acknowledge(note)
        index += 1


def acknowledge(note: Note) -> None:
    """One write to the pipe, so that a line is there whole or not at all."""
    os.write(1, f"{note.text} {note.number}\n".encode())


async def run(engine: str, arguments: str, round_number: int) -> None:
    """Take the shards of the last round's process, and let the writers loose."""
    site = Site(Database(open_engine(engine, json.loads(arguments)), reactor))
    await site.start(is_first=round_number == 0)
    for writer in range(WRITERS):
        _ = Deferred.fromCoroutine(write(site, round_number, writer)).addErrback(fail)


def fail(failure: Failure) -> None:
    """A writer never ends by itself."""
    os.write(2, f"{failure}\n".encode())
    os._exit(3)


def main(engine: str, arguments: str, round_number: str) -> None:
    """Until somebody kills us."""
    started = Deferred.fromCoroutine(run(engine, arguments, int(round_number)))
    started.addErrback(fail)
    reactor.run()  # type: ignore[misc]


if __name__ == "__main__":
    main(*sys.argv[1:])
