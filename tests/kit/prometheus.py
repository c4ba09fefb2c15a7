"""promtool, Prometheus's own checker of rules and of metrics: on $PATH, else out of its Debian package."""

import shutil

from tests.kit import debian, run_folder


class NoPrometheus(LookupError):
    """The program is not on this machine and cannot be had."""


def find_promtool() -> str:
    """The path of promtool. Raises NoPrometheus with the reason if there is none."""
    if found := shutil.which("promtool"):
        return found
    with run_folder.locked("prometheus") as folder:
        program = debian.unpacked("prometheus", folder / "prometheus") / "usr" / "bin" / "promtool"
        if not program.exists():
            raise NoPrometheus("promtool is not on $PATH, and apt-get cannot download it")
        return str(program)
