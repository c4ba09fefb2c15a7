"""``python -m workers COMMAND``: what the processes of a server are made of."""

import argparse
import signal
import sys
from collections.abc import Sequence

from workers import map as server_map


def main(arguments: Sequence[str]) -> int:
    """Run a command; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers", description="What a server is made of.")
    commands = parser.add_subparsers(dest="command", required=True)
    of_map = commands.add_parser("map", help="print which feature answers what, for whom, and what it writes")
    of_map.add_argument("--missing", action="store_true", help="print the specified endpoints that nothing answers yet")
    chosen = parser.parse_args(arguments)
    if chosen.missing:
        gaps = server_map.missing()
        print("\n".join(f"{method:<6} {path}" for method, path in gaps))
        print(f"\n{len(gaps)} endpoints of the client-server API v1.19 answer M_UNRECOGNIZED")
    else:
        print("\n".join(server_map.lines()).lstrip())
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `... | head` is no error
    sys.exit(main(sys.argv[1:]))
