"""``synapse-like up``: a data folder at the first run, then the server, and what to do next in words."""

import shlex
import sys
from pathlib import Path

from synapse_like import __version__
from synapse_like.toolkit.config import Config
from synapse_like.toolkit.config.server import Listener, ServerConfig
from synapse_like.toolkit.randomness import Randomness
from workers.cli.data_folder import CONFIG_FILE, DEFAULT_PORT, DEFAULT_SERVER_NAME, make
from workers.cli.serving import Build, Serving
from workers.settings import load_settings

_WELCOME = """
synapse-like {version} is running as {server_name}.

  Listens on   {addresses}
  Settings     {config}

  First user   {command} register-user -c {config} --admin alice
               (in a second terminal; alice becomes {user_id} and an administrator)
  Connect      open any Matrix client, choose "other homeserver", enter {base_url} and sign in

Ctrl-C stops it. Everything stays in {folder}.
"""


def run(data: str, server_name: str | None, port: int | None, build: Build) -> int:
    """Make the folder if it holds no server yet, and serve until a signal; the answer is the exit code."""
    folder = Path(data)
    config = folder / CONFIG_FILE
    if not config.exists():
        _set_up(folder, server_name or DEFAULT_SERVER_NAME, port or DEFAULT_PORT)
    elif not agrees(load_settings([config])[ServerConfig], server_name, port):
        print(f"{config} says otherwise: change it there, or choose another folder with --data", file=sys.stderr)
        return 2
    return Serving([str(config)], build, lambda settings: print(welcome(settings, config), flush=True)).run()


def welcome(settings: Config, config: Path) -> str:
    """Return what to say to the person who started the server."""
    server = settings[ServerConfig]
    addresses = [address for listener in server.listeners for address in addresses_of(listener)]
    quoted = shlex.quote(str(config))
    return _WELCOME.format(
        version=__version__,
        server_name=server.server_name,
        addresses=", ".join(addresses),
        config=quoted,
        command=_command(),
        user_id=f"@alice:{server.server_name}",
        base_url=addresses[0],
        folder=config.parent,
    )


def addresses_of(listener: Listener) -> list[str]:
    """Return the addresses of a listener as one would type them; loopback of both kinds is one localhost."""
    if listener.path is not None:
        return [f"unix:{listener.path}"]
    scheme = "https" if listener.tls else "http"
    hosts = ["localhost" if each in ("127.0.0.1", "::1", "0.0.0.0", "::", "") else each for each in listener.addresses]
    bracketed = [f"[{host}]" if ":" in host else host for host in dict.fromkeys(hosts)]
    return [f"{scheme}://{host}:{listener.port}" for host in bracketed]


def agrees(server: ServerConfig, server_name: str | None, port: int | None) -> bool:
    """Whether the options of the command line, if any were given, are what the configuration says."""
    is_same_name = server_name in (None, server.server_name)
    return is_same_name and (port is None or port in [listener.port for listener in server.listeners])


def _set_up(folder: Path, server_name: str, port: int) -> None:
    print(f"Making the data folder {folder} of the server {server_name} ...", flush=True)
    for path in make(folder, server_name, port, Randomness()):
        print(f"  {path}", flush=True)


def _command() -> str:
    """Return the command as this process was called, so that it can be copied."""
    called = sys.argv[0]
    return shlex.quote(called) if Path(called).name == "synapse-like" else "synapse-like"
