"""kill -9 while twenty writers append: what was acknowledged is there, once, in order, and the counters go on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

from replication.numbers import counter_of, shard_of
from synapse_like.toolkit.db import Database, open_engine
from tests.kit import postgres
from tests.kit.databases import KINDS
from tests.replication.log_program import WRITERS
from tests.replication.notes import FAMILY, Site

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 3
ACKNOWLEDGED = 400


def _arguments(kind: str, folder: Path) -> tuple[str, dict[str, Any]]:
    if kind == "sqlite":
        return "sqlite3", {"database": str(folder / "log.db")}
    return "psycopg2", postgres.create_database()


def _run_and_kill(engine: str, arguments: dict[str, Any], round_number: int) -> dict[str, int]:
    """The notes that a process acknowledged before it was killed in the middle of its work: number by text."""
    command = [sys.executable, "-m", "tests.replication.log_program", engine, json.dumps(arguments), str(round_number)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        lines = [line for _, line in zip(range(ACKNOWLEDGED + 37 * round_number), child.stdout, strict=False)]
        child.kill()
        lines += child.stdout.readlines()
        errors = child.stderr.read()
    assert len(lines) >= ACKNOWLEDGED, errors
    return {text: int(number) for text, number in (line.split() for line in lines if line.endswith("\n"))}


def _check_order(stored: list[tuple[int, str]], acknowledged: dict[str, int]) -> None:
    """Each writer's notes stand in the order of writing, without holes, and end at most one after what was answered."""
    for round_number in range(ROUNDS):
        for writer in range(WRITERS):
            prefix = f"{round_number}:{writer}:"
            indexes = [int(text.removeprefix(prefix)) for _, text in stored if text.startswith(prefix)]
            answered = sum(text.startswith(prefix) for text in acknowledged)
            assert indexes == list(range(len(indexes)))
            assert answered <= len(indexes) <= answered + 1


@pytest.mark.parametrize("kind", KINDS)
async def test_acknowledged_notes_survive(kind: str, tmp_path: Path) -> None:
    engine, arguments = _arguments(kind, tmp_path)
    acknowledged: dict[str, int] = {}
    for round_number in range(ROUNDS):
        acknowledged |= _run_and_kill(engine, arguments, round_number)
    database = Database(open_engine(engine, arguments), reactor)
    site = await Site(database).start(is_first=False)
    stored = await site.stored()
    number_of = {text: number for number, text in stored}
    assert {text: number_of.get(text) for text in acknowledged} == acknowledged
    _check_order(stored, acknowledged)
    for shard in range(FAMILY.shards):
        numbers = [counter_of(number) for number, _ in stored if shard_of(number) == shard]
        assert numbers == list(range(1, len(numbers) + 1))
        assert await site.counters(shard) == (ROUNDS + 1, len(numbers), 0)
        await site.append(shard, "after", f"after {shard}")
        assert await site.counters(shard) == (ROUNDS + 1, len(numbers) + 1, 0)
    assert [text for _, text in await site.stored() if text.startswith("after")] == [f"after {n}" for n in range(4)]
    database.close()
