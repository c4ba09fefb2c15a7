"""One temporary folder per test run, and the end of everything that lives in it.

Servers of the run (PostgreSQL, Redis) are started below it by ``guard``, which ends them when the run ends, also when
the run was killed. Folders of single tests are pytest's ``tmp_path``, not this.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "SYNAPSE_LIKE_TEST_RUN"
_PREFIX = "synapse-like-tests-"
OWNER_VARIABLE = "SYNAPSE_LIKE_TEST_OWNER"


def create() -> Path:
    """Make the folder and name it in the environment, for child processes to find."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    folder.chmod(0o755)  # a server that dropped its privileges must reach its data
    (folder / "owner").write_text(str(os.getpid()))
    os.environ[VARIABLE] = str(folder)
    os.environ[OWNER_VARIABLE] = str(os.getpid())
    atexit.register(_remove_own)
    return folder


def path() -> Path:
    """Return the folder of this run, making one if the program is not pytest (a benchmark, a shell)."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named and Path(named).is_dir() else create()


def owner() -> int:
    """Return the process id whose end is the end of the run."""
    return int(os.environ[OWNER_VARIABLE])


def remove() -> None:
    """Ask the guards to stop their servers, wait for them, and remove the folder."""
    folder = Path(os.environ.pop(VARIABLE, ""))
    if folder == Path() or not folder.is_dir():
        return
    guards = [int(file.read_text()) for file in folder.glob("*.guard")]
    (folder / "end").touch()
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in guards) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is not merely waiting to be collected by its parent."""
    try:
        waited, _status = os.waitpid(pid, os.WNOHANG)
        return waited == 0
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold a lock among all processes of the run; yields the run's folder."""
    folder = path()
    with (folder / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder


def _remove_own() -> None:
    """At the end of the process that made the folder, unless that was done before."""
    if os.environ.get(OWNER_VARIABLE) == str(os.getpid()):
        remove()


def _sweep() -> None:
    """Remove what runs left behind that were killed before they had a server, whose guard would have done it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if not is_running(int((folder / "owner").read_text())):
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
