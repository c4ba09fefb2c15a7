"""``python3 -m tests fuzz``: schemathesis against the OpenAPI of the specification, over the real server process.

Each file of the folder ``--spec`` is run with a new user, so that logging out harms nobody else. Without the folder
there is nothing to do. Schemathesis lives in an environment of its own, made at the first run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.kit.client import Client
from tests.kit.server import ROOT, SERVER_NAME, Server, open_server

SPEC = ROOT.parent / "shared" / "spec" / "api" / "client-server"
ENVIRONMENT = ROOT / ".venv" / "fuzz"
REQUIREMENT = "schemathesis>=4.10"
CHECKS = "not_a_server_error,matrix_error"


def main(arguments: Sequence[str]) -> int:
    """Fuzz; 1 if a file had faults or the server logged a traceback."""
    options = _parsed(arguments)
    if not options.spec.is_dir():
        print(f"No specification in {options.spec}: nothing to fuzz (name the folder with --spec).")
        return 0
    program = _schemathesis()
    faulty = []
    with tempfile.TemporaryDirectory() as name, open_server(options.database, Path(name)) as server:
        for number, path in enumerate(_files(options.spec, options.only)):
            print(f"---- {path.name}", flush=True)
            command = [program, *_arguments(Path(name), number, server, path, options)]
            if subprocess.run(command, env=_surroundings(), cwd=name, check=False).returncode:
                faulty.append(path.name)
        tracebacks = server.log_text().count("Traceback")
        print(f"faulty: {', '.join(faulty) or 'none'}; tracebacks in the server's log: {tracebacks}")
        if tracebacks:
            print(server.log_text()[server.log_text().index("Traceback") - 500 :][:10_000])
    return int(bool(faulty or tracebacks))


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests fuzz", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--spec", type=Path, default=SPEC, help=f"folder of OpenAPI files (default: {SPEC})")
    parser.add_argument("--only", default="", help="only files with this in their name")
    parser.add_argument("--examples", type=int, default=20, help="requests per endpoint and phase (default: 20)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--checks", default=CHECKS, help=f"schemathesis's checks, or `all` (default: {CHECKS})")
    return parser.parse_args(arguments)


def _files(folder: Path, only: str) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*.yaml")) if only in path.name)


def _schemathesis() -> str:
    program = ENVIRONMENT / "bin" / "st"
    if not program.exists():
        print(f"Installing {REQUIREMENT} into {ENVIRONMENT.relative_to(ROOT)} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", REQUIREMENT], check=True)
    return str(program)


def _surroundings() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"}


def _arguments(folder: Path, number: int, server: Server, path: Path, options: argparse.Namespace) -> list[str]:
    person = server.register(f"person{number}")
    configuration = folder / "schemathesis.toml"
    configuration.write_text(_parameters(person, f"person{number}"))
    header = ["-H", f"Authorization: Bearer {person.token}"]
    limits = ["-n", str(options.examples), "--max-failures", "20", "--request-timeout", "20", "--warnings", "off"]
    quiet = ["--no-color", "--generation-database", "none", "--suppress-health-check", "all"]
    found = ["--config-file", str(configuration)]
    return [*found, "run", str(path), "--origin", server.url, "-c", options.checks, *header, *limits, *quiet]


def _parameters(person: Client, name: str) -> str:
    """Path parameters that lead somewhere, for a part of the requests."""
    room_id = person.create_room(preset="public_chat", room_alias_name=name)
    known = {
        "userId": person.user_id,
        "roomId": room_id,
        "roomIdOrAlias": room_id,
        "roomAlias": f"#{name}:{SERVER_NAME}",
        "eventId": person.send(room_id, "hello", "first"),
        "deviceId": person.device_id,
    }
    return '[parameters]\n"query.timeout" = 0\n' + "".join(
        f'"path.{key}" = "{value}"\n' for key, value in known.items()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
