"""Files for log_config as administrators bring them along: formats, Synapse's names, secrets, mistakes."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from synapse_like.toolkit.log_config import apply_log_config

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import logging, sys
from pathlib import Path
from synapse_like.toolkit.log_config import apply_log_config
from synapse_like.toolkit.logs import name_process, request_at_work
early = logging.getLogger("synapse_like.early")
apply_log_config(Path(sys.argv[1]))
name_process("sync", "sync-1")
with request_at_work("GET-7"):
    early.info("GET /sync?access_token=hush")
    early.debug("not this")
    try:
        raise ValueError("password=hush")
    except ValueError:
        early.exception("failed")
"""
FORMAT = "%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s"
BROUGHT_ALONG = {
    "version": 1,
    "formatters": {"precise": {"format": FORMAT}},
    "filters": {"context": {"()": "synapse.util.logcontext.LoggingContextFilter", "request": ""}},
    "handlers": {
        "file": {
            "class": "logging.handlers.TimedRotatingFileHandler",
            "formatter": "precise",
            "filename": "homeserver.log",
            "when": "midnight",
        },
        "buffer": {
            "class": "synapse.logging.handlers.PeriodicallyFlushingHandler",
            "target": "file",
            "capacity": 10,
            "flushLevel": 30,
            "period": 5,
        },
        "console": {"class": "logging.StreamHandler", "filters": ["context"]},
    },
    "loggers": {"synapse.storage.SQL": {"level": "INFO"}},
    "root": {"level": "INFO", "handlers": ["buffer", "console"]},
}


def run(folder, config):
    """What a program prints to standard error, and what it leaves in the file."""
    (folder / "log.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-c", PROGRAM, str(folder / "log.yaml")]
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    path = folder / "homeserver.log"
    return done.stderr, path.read_text() if path.exists() else ""


def test_a_file_of_synapse_works(tmp_path):
    console, written = run(tmp_path, BROUGHT_ALONG)
    assert " - synapse_like.early - 10 - INFO - GET-7 - GET /sync?access_token=(hidden)" in written
    assert "ValueError: password=(hidden)" in written
    assert " INFO    sync-1 GET-7 synapse_like.early: GET /sync?access_token=(hidden)" in console
    assert "hush" not in written + console
    assert "not this" not in written + console


def test_json_and_names_of_processes(tmp_path):
    config = {
        "version": 1,
        "formatters": {
            "json": {"class": "synapse.logging.TerseJsonFormatter"},
            "ours": {"format": "%(kind)s/%(instance)s %(message)s"},
        },
        "handlers": {
            "json": {"class": "logging.StreamHandler", "formatter": "json"},
            "ours": {"class": "logging.FileHandler", "formatter": "ours", "filename": "homeserver.log"},
        },
        "root": {"level": "INFO", "handlers": ["json", "ours"]},
    }
    console, written = run(tmp_path, config)
    first = yaml.safe_load(console.splitlines()[0])
    assert (first["request_id"], first["instance"]) == ("GET-7", "sync-1")
    assert "request" not in first
    assert written.startswith("sync/sync-1 GET /sync")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1", "a mapping"),
        ("a: [", "log.yaml"),
        ("version: 2", "version"),
        ("{version: 1, handlers: {a: {class: no.such.Class}}, root: {handlers: [a]}}", "no"),
        ("{version: 1, root: {handlers: [missing]}}", "missing"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, words):
    (tmp_path / "log.yaml").write_text(text)
    before = list(logging.getLogger().handlers)
    with pytest.raises(OSError, match=r"log_config: cannot use .*log\.yaml") as raised:
        apply_log_config(tmp_path / "log.yaml")
    assert words in str(raised.value)
    assert all(each in before for each in logging.getLogger().handlers)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match=r"log\.yaml"):
        apply_log_config(tmp_path / "log.yaml")
