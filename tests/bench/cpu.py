"""CPU time of processes, from /proc: what an operation costs the server and its database, on a busy machine too."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """The time that these processes, and children that they have reaped, have spent on a core.

    Of threads that run the scheduler knows nanoseconds; of what has ended there are clock ticks of 10 ms.
    """
    return sum(map(_spent_s, pids))


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


def _spent_s(pid: int) -> float:
    fields = _fields(pid)
    if not fields:
        return 0.0
    user, system, reaped_user, reaped_system = (int(value) for value in fields[11:15])
    threads_ns = sum(int((_read(pid, f"{at}/schedstat") or "0").split()[0]) for at in _threads(pid))
    return max(threads_ns / 1e9, (user + system) / _TICKS) + (reaped_user + reaped_system) / _TICKS


def _threads(pid: int) -> list[str]:
    try:
        return [f"task/{name}" for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


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
