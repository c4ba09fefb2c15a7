"""The test program: ``python3 -m tests`` in a clean clone, with nothing but Python 3.11 or newer.

It makes ``.venv``, installs the project and its tools there, and runs formatter, linter, types, import contract and
all tests. It uses only the standard library. What it does with which words is in ``USAGE``.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

USAGE = """\
python3 -m tests                     everything: formatter, linter, types, import contract, all tests
python3 -m tests checks              everything but the tests
python3 -m tests -k sync [...]       only the tests, with these options or paths for pytest
python3 -m tests bench|fuzz|soak ... the benchmark, the fuzzer, the endurance run
python3 -m tests faults ...          what becomes of a cluster when its parts fail, at large size
"""
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / "bin" / "python")
PROGRAMS = ("bench", "faults", "fuzz", "soak")
CHECKS = {
    "format": ["-m", "ruff", "format", "--check", "--quiet", "."],
    "lint": ["-m", "ruff", "check", "--quiet", "."],
    "types": ["-m", "mypy", "--strict"],
    "imports": [
        "-c",
        "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())",
    ],
}
NO_VENV = """\
Python cannot make virtual environments here. On Debian and Ubuntu: apt install python3-venv
"""


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; the answer is the exit code."""
    if arguments[:1] in (["-h"], ["--help"], ["help"]):
        print(USAGE, end="")
        return 0
    if Path(sys.prefix).resolve() != VENV.resolve():
        return _inside(arguments)
    os.chdir(ROOT)
    if arguments and arguments[0] in PROGRAMS:
        return _run_program(arguments[0], arguments[1:])
    if arguments == ["checks"]:
        return int(_failed_checks() != [])
    if arguments:
        return _run_pytest(arguments)
    failed = _failed_checks()
    return _run_pytest([]) or int(failed != [])


def _inside(arguments: list[str]) -> int:
    """Make the virtual environment what it must be, and run again inside it."""
    if sys.version_info < (3, 11):  # noqa: UP036 (this file is what tells the user so)
        print(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    if not Path(PYTHON).exists() and not _make_venv():
        return 2
    stamp = VENV / "installed"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(
            "Installing the project and the tools of its tests into .venv (the first time takes a minute) ...",
            flush=True,
        )
        pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        done = subprocess.run([*pip, "install", "--editable", ".[postgres,test]"], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
        stamp.write_text(wanted)
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(PYTHON, [PYTHON, "-m", "tests", *arguments])


def _make_venv() -> bool:
    print("Making .venv ...", flush=True)
    done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False)
    if done.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        print(NO_VENV, end="", file=sys.stderr)
    return done.returncode == 0


def _failed_checks() -> list[str]:
    """Run all checks, also after one failed; the answer names those that did."""
    failed = []
    for name, command in CHECKS.items():
        began = time.monotonic()
        done = subprocess.run([PYTHON, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        print(
            f"{name:<8} {'ok' if done.returncode == 0 else 'FAILED':<7} {time.monotonic() - began:5.1f} s", flush=True
        )
        if done.returncode:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    return failed


def _run_pytest(arguments: list[str]) -> int:
    _print_versions()
    is_parallel = any(each.startswith(("-n", "--numprocesses")) for each in arguments)
    command = [PYTHON, "-m", "pytest", *([] if is_parallel else ["-n", "2"]), "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _print_versions() -> None:
    show = (
        "import sqlite3, sys; from tests.kit.programs import find_postgres, find_redis; "
        "print('Python', sys.version.split()[0], '· SQLite', sqlite3.sqlite_version, "
        "'· PostgreSQL', find_postgres(), '· Redis', find_redis())"
    )
    subprocess.run([PYTHON, "-c", show], cwd=ROOT, check=False)


def _run_program(name: str, arguments: list[str]) -> int:
    if find_spec(f"tests.{name}") is None:
        print(f"This version has no `{name}` program (tests/{name} does not exist).", file=sys.stderr)
        return 2
    return subprocess.run([PYTHON, "-m", f"tests.{name}", *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
