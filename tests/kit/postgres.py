"""One PostgreSQL server per test run, started when the first test asks, and databases in it.

All processes of pytest-xdist share it. It listens on a Unix socket in the run's folder only. It does not wait for the
disk (``fsync=off``): nothing in it outlives the run. Benchmarks start their own with ``durable=True``.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2

from tests.kit import guard, run_folder
from tests.kit.programs import find_postgres
from workers.supervisor.programs import reachable_copy, unprivileged_user

USER = "synapse"
START_TIMEOUT_SECONDS = 60
_FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "wal_level=minimal"]
_SMALL = ["max_connections=300", "max_wal_senders=0", "shared_buffers=64MB", "listen_addresses="]
_numbers = count(1)


def start(durable: bool = False) -> dict[str, Any]:
    """Return how to connect to the run's server (psycopg2's keywords, database postgres), starting it if need be."""
    name = "postgres-durable" if durable else "postgres"
    with run_folder.locked(name) as folder:
        note = folder / f"{name}.json"
        if not note.exists():
            note.write_text(json.dumps(_start(name, folder, durable)))
        return dict(json.loads(note.read_text()))


def create_database(template: str = "template0", durable: bool = False) -> dict[str, Any]:
    """Make a database and return psycopg2's keywords for it; it goes away with the server."""
    server = start(durable)
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return {**server, "dbname": name}


def create_template(name: str, fill: Callable[[dict[str, Any]], None]) -> str:
    """Return the name of a database that ``fill`` has filled once in this run, to be copied by create_database.

    ``fill`` gets psycopg2's keywords and must have closed its connections when it returns.
    """
    server = start()
    with run_folder.locked(f"template-{name}") as folder:
        done = folder / f"template-{name}.done"
        if not done.exists():
            _execute(server, f"CREATE DATABASE {name} TEMPLATE template0")
            fill({**server, "dbname": name})
            done.touch()
    return name


def drop_database(dsn: dict[str, Any]) -> None:
    """Remove a database, ending whoever is still connected."""
    _execute({**dsn, "dbname": "postgres"}, f"DROP DATABASE IF EXISTS {dsn['dbname']} WITH (FORCE)")


def process_id(durable: bool = False) -> int:
    """The id of the server's first process, whose descendants do the work."""
    folder = Path(start(durable)["host"])
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def _start(name: str, folder: Path, durable: bool) -> dict[str, Any]:
    user = unprivileged_user()
    home = folder / name
    home.mkdir()
    if user:
        shutil.chown(home, user)
    postgres = reachable_copy(find_postgres().path, user, folder)
    data = initialised(postgres, home, user)
    settings = [*_SMALL, f"unix_socket_directories={home}", *([] if durable else _FAST)]
    options = [part for setting in settings for part in ("-c", setting)]
    guard.launch(name, [str(postgres), "-D", str(data), *options], folder, user)
    dsn = {"host": str(home), "port": 5432, "user": USER, "dbname": "postgres"}
    _wait_until_ready(dsn, folder / f"{name}.log")
    return dsn


def initialised(postgres: Path, home: Path, user: str | None) -> Path:
    """Make a cluster of databases in ``home``, and return its folder."""
    command = [str(postgres.with_name("initdb")), "-D", str(home / "data"), "-U", USER, "-A", "trust"]
    options = ["--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        [*command, *options],
        user=user,
        extra_groups=[] if user else None,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")
    return home / "data"


def _wait_until_ready(dsn: dict[str, Any], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            psycopg2.connect(**dsn).close()
            return
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)


def configure(name: str, value: str, durable: bool = False) -> None:
    """Set something for the rest of the run, of what can be set while the server runs."""
    server = start(durable)
    _execute(server, f"ALTER SYSTEM SET {name} = {value}")
    _execute(server, "SELECT pg_reload_conf()")


def _execute(dsn: dict[str, Any], statement: str) -> None:
    connection = psycopg2.connect(**dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
