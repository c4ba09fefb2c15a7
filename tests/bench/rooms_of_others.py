"""What rooms of other servers cost: each measurement in a process of its own, whose reactor is installed first."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence

_PROGRAM = """
import sys
from tests.kit import reactor
reactor.private_loop()
from tests.bench import large_joins, large_rooms
{call}
reactor.shut_down()
"""
MEMBERS = (5_000, 50_000)


def main(arguments: Sequence[str]) -> int:
    """Run all; `--kind postgresql` for that database, `--only joins` or `--only forks` for a part."""
    kind = arguments[arguments.index("--kind") + 1] if "--kind" in arguments else "sqlite"
    only = arguments[arguments.index("--only") + 1] if "--only" in arguments else ""
    codes = []
    if only in ("", "forks"):
        codes.append(_run(f"large_rooms.run({kind!r})"))
    for members in MEMBERS if only in ("", "joins") else ():
        with tempfile.TemporaryDirectory() as folder:
            codes.append(_run(f"large_joins.tell({folder!r}, {members})"))
            codes.append(_run(f"large_joins.join({folder!r}, {members}, {kind!r})"))
    return max(codes)


def _run(call: str) -> int:
    return subprocess.run([sys.executable, "-c", _PROGRAM.format(call=call)], check=False).returncode
