"""``synapse-like check-config``: says everything that is wrong or has no effect in a configuration."""

import argparse

from synapse_like.toolkit.config import Config
from synapse_like.toolkit.config.server import DatabaseConfig, ServerConfig
from workers.settings import load_settings


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``check-config``."""
    command = commands.add_parser(
        "check-config",
        help="say what is wrong in a configuration, without starting the server",
        description="Read a configuration and say everything that is wrong or has no effect in it, with file and line. "
        "The exit code is 0 if a server can start with it.",
    )
    command.add_argument(
        "-c", "--config", "--config-path", action="append", required=True, metavar="FILE", help="as for the server"
    )
    command.set_defaults(run=_check)


def _check(chosen: argparse.Namespace) -> int:
    settings = load_settings(chosen.config)
    for remark in settings.remarks:
        print(f"{remark.weight.value}: {remark}")
    print(_summary(settings))
    return 0


def _summary(settings: Config) -> str:
    server, database = settings[ServerConfig], settings[DatabaseConfig].database
    kind = "SQLite" if database.name == "sqlite3" else "PostgreSQL"
    return f"The configuration of {server.server_name} is usable: {len(server.listeners)} listener(s), {kind}."
