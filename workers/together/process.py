"""What a process is called, what it is for, and where other processes call it."""

from dataclasses import dataclass

from workers.kinds import MAIN, Kind


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the server. `calls_host` and `calls_port` are where it listens for calls (port 0: any)."""

    kind: Kind = MAIN
    name: str = MAIN.name
    calls_host: str = "127.0.0.1"
    calls_port: int = 0
    advertised: str = ""
    """The address that others are told, host:port, if it is not the one it listens at."""
