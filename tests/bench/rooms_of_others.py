"""What rooms of other servers cost: `large_rooms` in a process of its own, whose reactor is installed first."""

import subprocess
import sys
from collections.abc import Sequence

_PROGRAM = """
import sys
from tests.kit import reactor
reactor.private_loop()
from tests.bench import large_rooms
large_rooms.run(sys.argv[1])
reactor.shut_down()
"""


def main(arguments: Sequence[str]) -> int:
    """Run all; `--kind postgresql` for that database."""
    kind = arguments[arguments.index("--kind") + 1] if "--kind" in arguments else "sqlite"
    return subprocess.run([sys.executable, "-c", _PROGRAM, kind], check=False).returncode
