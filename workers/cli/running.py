"""``python -m workers KIND -c homeserver.yaml``: one process of a server, in the foreground.

Name and addresses come from flags or the environment, so that a pod needs no file of its own.
"""

import argparse
import os
import signal
import socket
import sys
from functools import partial
from typing import Any

from synapse_like.toolkit.config import ConfigErrors
from synapse_like.toolkit.logs import name_process
from workers.cli.serving import Serving
from workers.kinds import KINDS, MAIN, Kind
from workers.listening import Places, build_server, host_and_port
from workers.together import Process

STOP_SECONDS = 18.0

_EPILOG = """\
environment: SYNAPSE_LIKE_NAME, SYNAPSE_LIKE_LISTEN, SYNAPSE_LIKE_CALLS, SYNAPSE_LIKE_ADVERTISE and SYNAPSE_LIKE_METRICS
stand for the options of these names. Processes find each other through the database; any number of each kind may run.
"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add a word for each kind."""
    for kind in KINDS:
        command = commands.add_parser(
            kind.name,
            help=f"run a process that {kind.purpose}",
            description=f"Run one process of a server, in the foreground: it {kind.purpose}. Needs PostgreSQL.",
            epilog=_EPILOG,
        )
        command.add_argument("-c", "--config", action="append", required=True, metavar="FILE", help="homeserver.yaml")
        _add(command, "name", "NAME", "its name among the processes, unique; default: the kind and the host's name")
        _add(command, "listen", "ADDRESS:PORT", "where clients and other servers reach it; main: homeserver.yaml says")
        _add(command, "calls", "ADDRESS:PORT", "where other processes call it; default: 127.0.0.1, any free port")
        _add(command, "advertise", "HOST:PORT", "what other processes are told instead, behind NAT or a service")
        _add(command, "metrics", "ADDRESS:PORT", "where it serves /metrics and /health")
        command.set_defaults(run=_run, kind=kind)


def _add(command: argparse.ArgumentParser, option: str, form: str, words: str) -> None:
    default = os.environ.get(f"SYNAPSE_LIKE_{option.upper()}")
    command.add_argument(f"--{option}", metavar=form, default=default, help=words)


def _run(chosen: argparse.Namespace) -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a peer that hangs up is an error of a write, not our end
    kind: Kind = chosen.kind
    try:
        process, places = _process(kind, chosen), _places(kind, chosen)
    except ValueError as error:
        print(f"python -m workers {kind.name}: {error}", file=sys.stderr)
        return 2
    build: Any = partial(build_server, process=process, places=places)
    name_process(kind.name, process.name)
    try:
        return Serving(chosen.config, build, stop_seconds=STOP_SECONDS).run()
    except ConfigErrors as error:
        print(error, file=sys.stderr)
        return 2


def _process(kind: Kind, chosen: argparse.Namespace) -> Process:
    host, port = host_and_port(chosen.calls) if chosen.calls else ("127.0.0.1", 0)
    if chosen.advertise:
        host_and_port(chosen.advertise)
    name = chosen.name or (kind.name if kind is MAIN else f"{kind.name}-{socket.gethostname()}")
    return Process(kind, name, host, port, chosen.advertise or "")


def _places(kind: Kind, chosen: argparse.Namespace) -> Places:
    listen = chosen.listen
    if listen:
        host_and_port(listen)
    elif kind is not MAIN:
        listen = ""
    return Places(listen, chosen.metrics)
