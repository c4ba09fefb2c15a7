"""The servers that tests run against start, are shared, and end with their run."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg2
import pytest

from tests.kit import postgres, redis, run_folder

ROOT = Path(__file__).resolve().parents[2]


def _tables(dsn):
    connection = psycopg2.connect(**dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return [name for (name,) in cursor.fetchall()]
    finally:
        connection.close()


def _make_table(dsn):
    connection = psycopg2.connect(**dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE first_table (a INTEGER)")
    connection.close()


def test_databases_are_separate_and_copies_of_their_template():
    template = postgres.create_template("kit_template", _make_table)
    assert _tables(postgres.create_database(template)) == ["first_table"]
    empty = postgres.create_database()
    assert _tables(empty) == []
    postgres.drop_database(empty)
    with pytest.raises(psycopg2.OperationalError):
        _tables(empty)


def test_redis_is_one_server():
    assert redis.start() == redis.start()


def _run_then_die(ending):
    """Start a program that starts both servers and then ends in its own way; its folder."""
    program = (
        "import os, signal; from tests.kit import postgres, redis, run_folder\n"
        "folder = run_folder.create(); redis.start(); postgres.start(); print(folder, flush=True)\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SYNAPSE_LIKE_TEST")}
    command = [sys.executable, "-c", program + ending]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return Path(done.stdout.strip())


@pytest.mark.parametrize("ending", ["", "run_folder.remove()", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_servers_and_folder_go_when_the_run_ends_or_is_killed(ending):
    folder = _run_then_die(ending)
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()


def test_what_a_killed_run_without_servers_left_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    over = subprocess.Popen([sys.executable, "-c", ""])
    over.wait()
    for name, owner in (("dead", over.pid), ("alive", os.getpid())):
        (tmp_path / f"synapse-like-tests-{name}").mkdir()
        (tmp_path / f"synapse-like-tests-{name}" / "owner").write_text(str(owner))
    for name in (run_folder.VARIABLE, run_folder.OWNER_VARIABLE):
        monkeypatch.setenv(name, os.environ[name])
    made = run_folder.create()
    assert {path.name for path in tmp_path.iterdir()} == {"synapse-like-tests-alive", made.name}


def test_a_process_that_is_over_is_not_running():
    child = subprocess.Popen([sys.executable, "-c", ""])
    while run_folder.is_running(child.pid):
        time.sleep(0.01)
    assert not run_folder.is_running(child.pid)
