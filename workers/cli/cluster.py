"""``synapse-like cluster``: a whole cluster on one machine, in the foreground, with a table of what runs where."""

import argparse
import errno
import fcntl
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from synapse_like.toolkit.config import Config
from synapse_like.toolkit.config.server import DatabaseConfig, Listener, ServerConfig
from synapse_like.toolkit.randomness import Randomness
from workers.cli.data_folder import CONFIG_FILE, DEFAULT_PORT, DEFAULT_SERVER_NAME, add_choices, make, port_number
from workers.cli.quick_start import addresses_of, agrees
from workers.cli.serving import Serving
from workers.kinds import KINDS, MAIN
from workers.routes.command import render
from workers.routes.owners import OwnersMap, empty_map
from workers.routes.plan import Owners
from workers.routes.upstreams import Address
from workers.settings import load_settings
from workers.supervisor.child import Spec
from workers.supervisor.embedded import database_arguments, redis_settings
from workers.supervisor.layout import Place, obstacle, places, upstreams_of
from workers.supervisor.programs import NoProgram, find_haproxy, find_postgres, find_redis
from workers.supervisor.supervisor import STOP_SECONDS, Plan, Supervisor

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "workers")
_DATA: Final = "synapse-like-cluster"
_POOL: Final = {"cp_min": 2, "cp_max": 8}
_READY = """
A cluster of synapse-like is running as {server_name}: {addresses}, {entry}.

{table}

  Settings     {config}
  First user   synapse-like register-user -c {config} --admin alice
  Processes    {data}/run/processes.json; one that dies is started again
  Logs         {data}/logs/

Ctrl-C stops everything within {seconds} seconds. All data stays in {data}.
"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``cluster``."""
    command = commands.add_parser(
        "cluster",
        help="a whole cluster on this machine: PostgreSQL, Redis, all processes, and a proxy in front",
        description="Run all processes of a server on this machine in the foreground, behind HAProxy if there is one "
        "(else main takes all requests), and start again what dies. Without a configuration a data folder is made, "
        "with PostgreSQL and Redis of its own; those on $PATH are preferred to those from wheels.",
    )
    command.add_argument("--data", default=_DATA, metavar="FOLDER", help=f"default: ./{_DATA}")
    add_choices(command)
    command.add_argument(
        "-c", "--config", action="append", metavar="FILE", help="a homeserver.yaml of your own, with PostgreSQL"
    )
    for kind in KINDS:
        if kind is not MAIN:
            name = kind.name.replace("_", "-")
            command.add_argument(
                f"--{name}", f"--{name}s", dest=kind.name, type=_count, default=1, metavar="N", help=kind.purpose
            )
    command.add_argument(
        "--first-port",
        type=port_number,
        metavar="PORT",
        help="processes get ports from here on; default: the next ones",
    )
    command.add_argument("--no-redis", action="store_true", help="a new data folder gets no Redis")
    command.add_argument("--no-proxy", action="store_true", help="main takes all requests")
    command.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    data = Path(chosen.data)
    configs = chosen.config or [str(data / CONFIG_FILE)]
    if chosen.config is None and not (data / CONFIG_FILE).exists():
        _set_up(data, chosen)
    settings = load_settings(configs)
    if not agrees(settings[ServerConfig], chosen.server_name, chosen.port):
        raise OSError(f"{configs[0]} says otherwise: change it there, or choose another folder with --data")
    if settings[DatabaseConfig].database.name != "psycopg2":
        raise OSError("SQLite is for one process; name a PostgreSQL database in the configuration")
    counts = {kind: getattr(chosen, kind.name) for kind in KINDS if kind is not MAIN}
    with _alone(data):
        public = _public(settings)
        found = places(counts, chosen.first_port or max(address.port for address in public) + 1)
        plan, entry = _plan(data, configs, settings, found, public, not chosen.no_proxy)
        cluster = _Cluster(plan, configs, entry)
        return Serving(configs, cluster.build, cluster.announce, STOP_SECONDS).run()


class _Cluster:
    """One run: its supervisor, and what is said when all is ready."""

    def __init__(self, plan: Plan, configs: list[str], entry: str) -> None:
        self._plan = plan
        self._configs = configs
        self._entry = entry
        self._supervisor: Supervisor | None = None

    def build(self, _settings: Config, reactor: Any) -> Supervisor:
        """What runs."""
        self._supervisor = Supervisor(self._plan, reactor)
        return self._supervisor

    def announce(self, settings: Config) -> None:
        """Print what runs where, and what to do next."""
        assert self._supervisor is not None
        listener = next(each for each in settings[ServerConfig].listeners if "client" in each.resource_names)
        words = _READY.format(
            server_name=settings[ServerConfig].server_name,
            addresses=", ".join(addresses_of(listener)),
            entry=self._entry,
            table="\n".join(_table(self._supervisor)),
            config=shlex.quote(self._configs[0]),
            data=self._plan.data,
            seconds=int(STOP_SECONDS),
        )
        print(words, flush=True)


def _set_up(data: Path, chosen: argparse.Namespace) -> None:
    """Make the data folder, with servers of its own."""
    find_postgres()
    more: dict[str, Any] = {"database": {"name": "psycopg2", "args": {**database_arguments(data), **_POOL}}}
    try:
        if not chosen.no_redis:
            find_redis()
            more["redis"] = redis_settings(data)
    except NoProgram as error:
        print(f"Without Redis: {error}", flush=True)
    name = chosen.server_name or DEFAULT_SERVER_NAME
    print(f"Making the data folder {data} of the server {name} ...", flush=True)
    for path in make(data, name, chosen.port or DEFAULT_PORT, Randomness(), more):
        print(f"  {path}", flush=True)


def _plan(
    data: Path, configs: list[str], settings: Config, found: list[Place], public: list[Address], wants_proxy: bool
) -> tuple[Plan, str]:
    """What to run, and in words what takes requests."""
    proxy, tell_proxy, entry = None, None, "main takes all requests"
    if wants_proxy:
        try:
            program = find_haproxy().path
            owners = Owners((data / "run" / "owners.map").resolve(), (data / "run" / "proxy.sock").resolve())
            proxy = partial(_proxy, program, data, found, public, owners)
            tell_proxy = OwnersMap(settings[DatabaseConfig].database.arguments, owners.path, owners.commands).refresh
            entry = f"behind HAProxy ({find_haproxy().origin})"
        except NoProgram as error:
            entry = f"main takes all requests, since {error}"
    if proxy is None:
        found = [replace(place, listen=public[0]) if place.kind is MAIN else place for place in found]
    database = settings[DatabaseConfig].database.arguments
    ours = database_arguments(data)
    plan = Plan(
        data=data,
        places=found,
        command_of=partial(_command_of, configs),
        public=public[0],
        database=ours if database.get("host") == ours["host"] else None,
        has_redis=_has_own_redis(configs, data),
        proxy=proxy,
        tell_proxy=tell_proxy,
    )
    return plan, entry


def _command_of(configs: list[str], place: Place) -> list[str]:
    return place.command(PROGRAM, [str(Path(path).resolve()) for path in configs])


def _proxy(program: Path, data: Path, found: list[Place], public: list[Address], owners: Owners) -> Spec:
    """Write HAProxy's configuration; how to run it."""
    path = (data / "run" / "haproxy.cfg").resolve()
    owners.path.write_text(empty_map())
    path.write_text(render("haproxy", upstreams_of(found), public, owners=owners))
    return Spec("proxy", [str(program), "-db", "-f", str(path)])


def _public(settings: Config) -> list[Address]:
    """Where clients come: the addresses of the first listener that serves them. Raises OSError if it cannot be ours."""
    listener: Listener | None = next(
        (each for each in settings[ServerConfig].listeners if "client" in each.resource_names), None
    )
    if listener is None or listener.port is None or listener.tls:
        raise OSError("the first listener for clients must be a port without TLS; a proxy in front can end TLS")
    addresses = [Address(host, listener.port) for host in listener.addresses]
    obstacles = {address: obstacle(address) for address in addresses}
    if errno.EADDRINUSE in obstacles.values():
        raise OSError(f"port {listener.port} is taken")
    ours = [address for address, error in obstacles.items() if error is None]
    if not ours:
        raise OSError(f"cannot listen at {', '.join(listener.addresses)}")
    return ours


def _has_own_redis(configs: list[str], data: Path) -> bool:
    """Whether the configuration names the Redis of the data folder."""
    ours = redis_settings(data)["path"]
    merged: dict[str, Any] = {}
    for path in configs:
        merged |= yaml.safe_load(Path(path).read_text()) or {}
    redis = merged.get("redis") or {}
    return bool(redis.get("enabled")) and redis.get("path") == ours


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the data folder; raises OSError if another cluster does."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OSError(f"a cluster is running in {data} already") from None
        yield


def _table(supervisor: Supervisor) -> Iterator[str]:
    """A line for each process."""
    yield f"  {'process':<22} {'pid':>8}  {'requests at':<22} {'health and metrics at'}"
    by_name = {place.name: place for place in supervisor.plan.places}
    for name, child in supervisor.children.items():
        place = by_name.get(name)
        where = (str(place.listen), str(place.metrics)) if place else ("", "")
        yield f"  {name:<22} {child.pid or '-':>8}  {where[0]:<22} {where[1]}".rstrip()


def _count(text: str) -> int:
    """A number of processes. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) > 64:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes: 0 to 64")
    return int(text)
