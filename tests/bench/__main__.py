"""``python -m tests.bench COMMAND``: picks the benchmark; each lives in a module of its own with a ``main``."""

import sys
from collections.abc import Callable, Sequence

from tests.bench import cluster, fan_out, paths, rooms_of_others, side_by_side, state_history

Main = Callable[[Sequence[str]], int]

COMMANDS: dict[str, tuple[Main, str]] = {
    "cluster": (cluster.main, "the hot paths in a cluster: CPU per kind of process, the hop, idle memory"),
    "fan-out": (fan_out.main, "events to 200 other servers: CPU milliseconds per event and server"),
    "paths": (paths.main, "what the hot paths cost: CPU milliseconds per operation"),
    "rooms-of-others": (
        rooms_of_others.main,
        "joining a room of 5,000 members, resolving forks of large states: CPU milliseconds",
    ),
    "side-by-side": (
        side_by_side.main,
        "Synapse and this server in turn: costs, latency, bytes, memory, and the ratio",
    ),
    "state-history": (state_history.main, "ways to store the state history of a large room, measured"),
}


def usage() -> str:
    """The commands, a line each."""
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in sorted(COMMANDS.items())]
    return "\n".join(["usage: python -m tests.bench COMMAND [--help]", "", *lines])


def main(arguments: Sequence[str]) -> int:
    """Run a benchmark; the answer is the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        print(f"no benchmark is called {arguments[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]][0](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
