"""The data folder of a server: homeserver.yaml, the signing key and secrets; ``synapse-like generate-config``.

Everything secret is a file of its own that only its owner may read; the configuration names these files.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synapse_like.matrix.ids import is_valid_server_name
from synapse_like.matrix.signing_keys import SEED_BYTES, SigningKey, write_signing_keys
from synapse_like.toolkit.config import render
from synapse_like.toolkit.randomness import Randomness
from workers.settings import SECTIONS

DEFAULT_SERVER_NAME = "localhost"
DEFAULT_PORT = 8008
CONFIG_FILE = "homeserver.yaml"
SECRETS = ("macaroon_secret_key", "form_secret", "registration_shared_secret")
SECRET_LENGTH = 50
_INTRO = """\
The settings of this server. Lines that begin with # show the default of a key.
Paths are relative to the folder of this file. Durations: 30s, 5m, 2h, 7d, 1w, 1y, or milliseconds. Sizes: 10K, 50M, 1G.
Check it with: synapse-like check-config -c homeserver.yaml"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command ``generate-config``."""
    command = commands.add_parser(
        "generate-config",
        help="write homeserver.yaml with all keys explained, a signing key and secrets",
        description="Write homeserver.yaml with all keys explained, a signing key and secrets into a folder. "
        "Nothing that exists is overwritten.",
    )
    command.add_argument("folder", metavar="FOLDER", help="where to; made if need be")
    add_choices(command)
    command.set_defaults(run=_generate)


def add_choices(command: argparse.ArgumentParser) -> None:
    """Add the options that are decided once, when the folder is made."""
    command.add_argument(
        "--server-name", metavar="NAME", help="the part behind the colon in @user:example.com; for ever"
    )
    command.add_argument(
        "--port", type=port_number, help=f"where to listen, on this machine only (default: {DEFAULT_PORT})"
    )


def make(
    folder: Path, server_name: str, port: int, randomness: Randomness, more: Mapping[str, Any] | None = None
) -> list[Path]:
    """Fill the folder; the answer names the files made. Raises FileExistsError if there is a configuration.

    `more` are keys of homeserver.yaml that are to be set, or set otherwise.
    """
    if not is_valid_server_name(server_name):
        raise OSError(f"{server_name!r} cannot be the name of a server: use a host name such as example.com")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    signing_key = folder / f"{_file_name(server_name)}.signing.key"
    contents = {signing_key: _new_signing_key(randomness)}
    contents |= {folder / name: randomness.random_string(SECRET_LENGTH) + "\n" for name in SECRETS}
    live = {**_live_keys(server_name, port, signing_key.name), **(more or {})}
    contents[folder / CONFIG_FILE] = render(SECTIONS, live, _INTRO)  # last: it says that the folder is complete
    if (folder / CONFIG_FILE).exists():
        raise FileExistsError(f"{folder / CONFIG_FILE} exists already")
    return [_write_private(path, text) for path, text in contents.items() if not path.exists()]


def port_number(text: str) -> int:
    """The number of a port. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 1 to 65535")
    return int(text)


def _generate(chosen: argparse.Namespace) -> int:
    server_name = chosen.server_name or DEFAULT_SERVER_NAME
    for path in make(Path(chosen.folder), server_name, chosen.port or DEFAULT_PORT, Randomness()):
        print(f"wrote {path}")
    return 0


def _live_keys(server_name: str, port: int, signing_key: str) -> Mapping[str, Any]:
    is_local = server_name == DEFAULT_SERVER_NAME
    listener = {
        "port": port,
        "bind_addresses": ["127.0.0.1", "::1"],
        "type": "http",
        "x_forwarded": False,
        "resources": [{"names": ["client"] if is_local else ["client", "federation"]}],
    }
    alone = {"federation_enabled": False} if is_local else {}
    return {
        "server_name": server_name,
        "public_baseurl": f"http://localhost:{port}/" if is_local else f"https://{server_name}/",
        "listeners": [listener],
        "signing_key_path": signing_key,
        "database": {"name": "sqlite3", "args": {"database": "homeserver.db"}},
        **alone,
        **{f"{name}_path": name for name in SECRETS},
    }


def _new_signing_key(randomness: Randomness) -> str:
    return write_signing_keys(
        [SigningKey.from_seed(f"a_{randomness.random_string(4)}", randomness.random_bytes(SEED_BYTES))]
    )


def _write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner may read, all of it or none."""
    unfinished = path.with_name(f"{path.name}.new")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return path


def _file_name(server_name: str) -> str:
    return server_name.replace(":", "_").replace("[", "").replace("]", "")
