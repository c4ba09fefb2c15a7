"""A process that is cut off from a part of the others, under load, and comes back."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.faults.load import Load
from tests.faults.parts import Parts
from tests.faults.scene import IS_LARGE, ROUNDS, Play
from tests.kit.cuttable import Line

CUT: tuple[Callable[[Line], None], ...] = (Line.cut, Line.fall_silent)
WRITER = "event_writer1"


@pytest.mark.timeout(600)
@pytest.mark.small_on("redis")
@pytest.mark.cuttable(WRITER)
def test_a_writer_is_cut_off(parts: Parts) -> None:
    play = Play(parts)
    lines = {"PostgreSQL": parts.to_postgres[WRITER], "calls": parts.calls[WRITER]}
    if parts.redis is not None:
        lines["Redis"] = parts.to_redis[WRITER]
    for _ in range(ROUNDS):
        for where, line in lines.items():
            for how in CUT if IS_LARGE or where == "PostgreSQL" else CUT[:1]:
                title = f"{WRITER} and {where}: {how.__name__}"
                play.scene(title, partial(_cut_and_mend, parts, line, how))


def _cut_and_mend(parts: Parts, line: Line, how: Callable[[Line], None], load: Load) -> None:
    """Cut, go on without it, mend; then it owns something again, and is ready."""
    how(line)
    load.wait_for_more(3, 60)
    line.mend()
    parts.until(lambda: bool(parts.owned_by(WRITER)) and parts.is_ready(WRITER), "it has come back", 60)
