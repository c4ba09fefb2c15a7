"""``python -m workers COMMAND``: what the processes of a server are made of."""

import argparse
import signal
import sys
from collections.abc import Sequence

from workers import map as server_map
from workers.cli import running, shards
from workers.dashboards import command as dashboards
from workers.kubernetes import command as kubernetes
from workers.routes import command as routes


def main(arguments: Sequence[str]) -> int:
    """Run a command; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers", description="What a server is made of.")
    commands = parser.add_subparsers(dest="command", required=True)
    of_map = commands.add_parser("map", help="print the kinds of processes, who answers what, and who writes what")
    of_map.add_argument("--missing", action="store_true", help="print the specified endpoints that nothing answers yet")
    of_map.set_defaults(run=_map)
    routes.add_to(commands)
    dashboards.add_to(commands)
    kubernetes.add_to(commands)
    shards.add_to(commands)
    running.add_to(commands)
    chosen = parser.parse_args(arguments)
    code: int = chosen.run(chosen)
    return code


def _map(chosen: argparse.Namespace) -> int:
    lines = server_map.missing_lines() if chosen.missing else server_map.lines()
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `... | head` is no error
    sys.exit(main(sys.argv[1:]))
