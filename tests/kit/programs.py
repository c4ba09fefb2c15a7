"""Finds the servers that the tests need, with their versions: on $PATH first, else from a wheel. Starts none of them.

With ``SYNAPSE_LIKE_TEST_SERVERS=wheels`` in the environment the wheels are taken, whatever the machine has.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workers.supervisor import programs

_WHEELS_ONLY = os.environ.get("SYNAPSE_LIKE_TEST_SERVERS") == "wheels"


@dataclass(frozen=True)
class Program:
    """A program found on this machine: its path, version, and where it came from."""

    path: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"{self.version} ({self.origin})"


def find_postgres() -> Program:
    """Return ``postgres`` with ``initdb`` beside it."""
    wheel = programs.POSTGRES_WHEEL
    return _versioned(programs.in_wheel(*wheel) if _WHEELS_ONLY else programs.find_postgres())


def find_redis() -> Program:
    """Return ``redis-server`` or valkey-server."""
    return _versioned(programs.in_wheel(*programs.REDIS_WHEEL) if _WHEELS_ONLY else programs.find_redis())


def _versioned(program: programs.Program) -> Program:
    said = subprocess.run([program.path, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"\d+(\.\d+)+", said)
    return Program(program.path, version[0] if version else said.strip(), program.origin)
