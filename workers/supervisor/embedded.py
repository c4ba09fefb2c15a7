"""PostgreSQL and Redis of our own, in the data folder, for a server that has none elsewhere.

Both listen on Unix sockets that only their owner (and root) may open. PostgreSQL keeps its durability; Redis stores
nothing, since the processes use it for news alone. What is done here blocks: call it in a thread.
"""

import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from workers.supervisor.child import Spec
from workers.supervisor.programs import find_postgres, find_redis, reachable_copy, unprivileged_user

POSTGRES_FOLDER: Final = "postgres"
REDIS_SOCKET: Final = "redis.sock"
USER: Final = "synapse"
DATABASE: Final = "synapse"
LONGEST_SOCKET_PATH: Final = 100
_SOCKET_NAME: Final = ".s.PGSQL.5432"


class CannotEmbed(OSError):
    """A server of our own cannot live here; the words say why."""


def database_arguments(data: Path) -> dict[str, Any]:
    """How processes reach the PostgreSQL of a data folder: what stands in homeserver.yaml."""
    return {"host": str((data / POSTGRES_FOLDER).resolve()), "user": USER, "dbname": DATABASE}


def redis_settings(data: Path) -> dict[str, Any]:
    """How processes reach the Redis of a data folder: what stands in homeserver.yaml."""
    return {"enabled": True, "path": str((data / REDIS_SOCKET).resolve())}


def prepare_postgres(data: Path, most_connections: int) -> Spec:
    """Make the database cluster if there is none; how to run it. Raises CannotEmbed, NoProgram."""
    home = (data / POSTGRES_FOLDER).resolve()
    if len(str(home / _SOCKET_NAME)) > LONGEST_SOCKET_PATH:
        raise CannotEmbed(f"the path of {home} is too long for a socket in it; choose a shorter --data")
    user = unprivileged_user()
    home.mkdir(exist_ok=True, mode=0o700)
    if user is not None:
        shutil.chown(home, user)
        _open_the_way(data.resolve(), home, user)
    program = reachable_copy(find_postgres().path, user, data.resolve())
    if not (home / "data" / "PG_VERSION").exists():
        _initialise(program, home, user)
    settings = [
        "listen_addresses=",
        f"unix_socket_directories={home}",
        "unix_socket_permissions=0700",
        f"max_connections={most_connections}",
    ]
    options = [part for setting in settings for part in ("-c", setting)]
    return Spec("postgres", [str(program), "-D", str(home / "data"), *options], signal.SIGINT, user)


def prepare_redis(data: Path) -> Spec:
    """How to run a Redis that stores nothing. Raises CannotEmbed, NoProgram."""
    path = (data / REDIS_SOCKET).resolve()
    if len(str(path)) > LONGEST_SOCKET_PATH:
        raise CannotEmbed(f"the path {path} is too long for a socket; choose a shorter --data")
    listening = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]
    return Spec("redis", [str(find_redis().path), *listening, "--save", "", "--appendonly", "no"])


def postgres_answers(arguments: Mapping[str, Any]) -> bool:
    """Whether the server takes connections; makes our database if it is not there yet."""
    driver = _driver()
    try:
        connection = driver.connect(**{**arguments, "dbname": "postgres"}, connect_timeout=2)
    except driver.OperationalError:
        return False
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
    except driver.errors.DuplicateDatabase:
        pass
    finally:
        connection.close()
    return True


def _driver() -> Any:
    """The module psycopg2, which is an extra. Raises CannotEmbed."""
    try:
        return import_module("psycopg2")
    except ImportError as error:
        raise CannotEmbed("a cluster needs the extra: pip install 'synapse-like[cluster]'") from error


def _initialise(program: Path, home: Path, user: str | None) -> None:
    """Make the database cluster beside its place and move it there, so that a broken attempt is no cluster."""
    unfinished = home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(home / "data", ignore_errors=True)
    command = [str(program.with_name("initdb")), "-D", str(unfinished), "-U", USER, "-A", "trust", "--encoding=UTF8"]
    done = subprocess.run(
        [*command, "--locale=C"],
        user=user,
        extra_groups=[] if user else None,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotEmbed(f"PostgreSQL's initdb failed: {done.stdout}{done.stderr}")
    unfinished.rename(home / "data")


def _open_the_way(data: Path, home: Path, user: str) -> None:
    """Let the user pass through our folder, not look into it. Raises CannotEmbed if he cannot get that far."""
    data.chmod(data.stat().st_mode | 0o011)
    done = subprocess.run(
        ["test", "-x", str(home)], user=user, extra_groups=[], capture_output=True, cwd="/", check=False
    )
    if done.returncode != 0:
        raise CannotEmbed(
            f"root runs PostgreSQL as the user {user}, who cannot reach {home}: choose a --data outside of private "
            "folders, or start this as another user"
        )
