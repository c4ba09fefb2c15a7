"""The words of the command line: ``main`` is ``synapse-like``, ``serve`` is ``python -m synapse_like``.

What the words do is in the modules beside.
"""

import argparse
import sys
from collections.abc import Sequence

from synapse_like import __version__
from synapse_like.toolkit.config import ConfigErrors
from workers.cli import checking, cluster, data_folder, passwords, quick_start, registering
from workers.cli.serving import Serving
from workers.listening import build_server
from workers.supervisor.programs import NoProgram

_CONFIG_HELP = "homeserver.yaml; several are merged by top-level key, later ones win; a folder means its *.yaml files"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``synapse-like``; the answer is the exit code."""
    chosen = _parser().parse_args(arguments)
    return _guarded(chosen)


def serve(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m synapse_like``: the server, in the foreground."""
    parser = argparse.ArgumentParser("synapse_like", description="Run the server in the foreground until SIGTERM.")
    parser.add_argument("--version", action="version", version=f"synapse-like {__version__}")
    _add_config(parser, is_required=True)
    parser.set_defaults(run=_serve)
    return _guarded(parser.parse_args(arguments))


def _serve(chosen: argparse.Namespace) -> int:
    return Serving(chosen.config, build_server).run()


def _up(chosen: argparse.Namespace) -> int:
    return quick_start.run(chosen.data, chosen.server_name, chosen.port, build_server)


def _guarded(chosen: argparse.Namespace) -> int:
    """Run a command; what an administrator can mend is told in words instead of a traceback."""
    try:
        code: int = chosen.run(chosen)
        return code
    except ConfigErrors as error:
        print(error, file=sys.stderr)
        return 2
    except (OSError, NoProgram) as error:
        print(f"synapse-like: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "synapse-like",
        description="A Matrix homeserver.",
        epilog="`synapse-like up` is the quick start. To run a server that is set up: python -m synapse_like -c FILE",
    )
    parser.add_argument("--version", action="version", version=f"synapse-like {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_up(commands)
    cluster.add_to(commands)
    data_folder.add_to(commands)
    registering.add_to(commands)
    passwords.add_to(commands)
    checking.add_to(commands)
    return parser


def _add_up(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "up",
        help="quick start: make a data folder if there is none, and run the server",
        description="Make a data folder with homeserver.yaml, signing key and secrets if there is none, and run the "
        "server in the foreground on SQLite. Ctrl-C stops it; all data stays in the folder.",
    )
    command.add_argument("--data", default="synapse-like-data", metavar="FOLDER", help="default: ./synapse-like-data")
    data_folder.add_choices(command)
    command.set_defaults(run=_up)


def _add_config(command: argparse.ArgumentParser, is_required: bool) -> None:
    command.add_argument(
        "-c", "--config", "--config-path", action="append", required=is_required, metavar="FILE", help=_CONFIG_HELP
    )
