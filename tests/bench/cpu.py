"""CPU time of processes, from /proc: what an operation costs the server and its database, on a busy machine too."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """The user and system time that these processes, and children that they have reaped, have spent."""
    return sum(_ticks(pid) for pid in pids) / _TICKS


def descendants(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(int(entry.name))) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, ()))
    return found


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory that these processes have resident."""
    total = 0
    for pid in pids:
        for line in _read(pid, "status").splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def _ticks(pid: int) -> int:
    fields = _fields(pid)
    return sum(int(value) for value in fields[11:15]) if fields else 0


def _parent(pid: int) -> int | None:
    fields = _fields(pid)
    return int(fields[1]) if fields else None


def _fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the command's name; empty if the process is gone."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""
