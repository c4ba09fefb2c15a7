"""Log lines carry the request at work, fit one line, and show no secrets."""

import io
import json
import logging
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor

from synapse_like.toolkit import logs
from synapse_like.toolkit.clock import Clock


def _record(message, *arguments, **attributes):
    record = logging.makeLogRecord({"name": "a.b", "levelname": "INFO", "msg": message, "args": arguments})
    record.__dict__.update(attributes)
    return record


def test_a_line_of_text():
    line = logs.TextFormatter().format(_record("made %s", "!room", created=1_700_000_000.5))
    assert line == "2023-11-14 22:13:20.500 INFO    - a.b: made !room"


def test_an_object_of_json():
    line = logs.JsonFormatter().format(_record("made %s", "!room", created=1_700_000_000.5, status=200, user="@a:b"))
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.500+00:00",
        "level": "INFO",
        "logger": "a.b",
        "kind": "main",
        "instance": "main",
        "request_id": "-",
        "message": "made !room",
        "status": 200,
        "user": "@a:b",
    }


def test_lines_of_other_processes_than_main_name_them():
    logs.name_process("sync", "sync-1")
    try:
        assert " INFO    sync-1 - a.b: x" in logs.TextFormatter().format(_record("x"))
        line = json.loads(logs.JsonFormatter().format(_record("x")))
        assert (line["kind"], line["instance"]) == ("sync", "sync-1")
    finally:
        logs.name_process("main", "main")


async def test_coroutines_keep_the_request_that_they_began_in():
    async def two_steps():
        await Clock(reactor).sleep(0.001)
        return logs.TextFormatter().format(_record("x"))

    with logs.request_at_work("GET-7"):
        steps = two_steps()
        line = await steps
    assert " GET-7 a.b: x" in line
    assert logs.current_request_id() == "-"


@pytest.mark.parametrize(
    "text",
    [
        "GET /sync?access_token=hush&since=1",
        "Authorization: Bearer hush",
        '{"password": "hush", "a": 1}',
        "{'refresh_token': 'hush'}",
        "secret=hush",
    ],
)
@pytest.mark.parametrize("formatter", [logs.TextFormatter(), logs.JsonFormatter()])
def test_secrets_are_blotted_out(formatter, text):
    assert "hush" not in formatter.format(_record(text, detail=text))


def test_secrets_in_tracebacks_are_blotted_out():
    try:
        raise ValueError("access_token=hush")
    except ValueError:
        record = _record("x", exc_info=sys.exc_info())
    for formatter in (logs.TextFormatter(), logs.JsonFormatter()):
        line = formatter.format(record)
        assert "ValueError" in line
        assert "hush" not in line


def test_a_message_cannot_forge_a_second_line():
    assert "\n" not in logs.TextFormatter().format(_record("%s", "a\n2026 INFO b\r\nc"))


@given(st.text(), st.dictionaries(st.sampled_from(["path", "user"]), st.text() | st.integers() | st.none()))
def test_json_is_always_one_line_of_json(message, extra):
    line = logs.JsonFormatter().format(_record("%s", message, **extra))
    assert "\n" not in line
    assert json.loads(line)["level"] == "INFO"


class _Stream(io.StringIO):
    """Tells of each write."""

    def __init__(self):
        super().__init__()
        self.writes = []
        self.has_all = threading.Event()

    def write(self, text):
        self.writes.append(text)
        if text.endswith("the last\n"):
            self.has_all.set()
        return len(text)


def test_lines_are_written_together_and_soon():
    stream = _Stream()
    output = logs.Output(stream)
    for number in range(9):
        output.handle(_record("%s", number, levelno=logging.INFO))
    output.put("the last")
    assert stream.has_all.wait(10)
    assert "".join(stream.writes).split() == [*"012345678", "the", "last"]
    assert len(stream.writes) < 10


def test_a_warning_is_written_at_once_behind_what_came_before():
    stream = _Stream()
    output = logs.Output(stream)
    output.put("before")
    output.handle(_record("careful", levelno=logging.WARNING))
    assert "".join(stream.writes) == "before\ncareful\n"


def test_too_many_lines_wait_for_nobody(monkeypatch):
    monkeypatch.setattr(logs, "GATHER_S", 3600)
    monkeypatch.setattr(logs, "MOST_LINES", 3)
    stream = _Stream()
    output = logs.Output(stream)
    for number in range(5):
        output.put(str(number))
    assert stream.writes == ["0\n1\n2\n3\n"]


def test_lines_for_a_closed_stream_are_lost_in_silence():
    stream = _Stream()
    stream.write = io.StringIO.write.__get__(stream)
    stream.close()
    output = logs.Output(stream)
    output.put("nobody hears this")
    output.flush()
    output.put("nor this")
    output.flush()


def test_lines_are_given_to_the_output_only_if_nobody_else_hears_the_logger(monkeypatch):
    output = logs.Output(io.StringIO())
    output.setFormatter(logs.TextFormatter())
    heard = logging.getLogger("a test of outputs")
    monkeypatch.setattr(logging.root, "handlers", [output])
    assert logs.text_output(heard) is output
    monkeypatch.setattr(heard, "handlers", [logging.NullHandler()])
    assert logs.text_output(heard) is None
    monkeypatch.setattr(heard, "handlers", [])
    monkeypatch.setattr(logging.root, "handlers", [output, logging.NullHandler()])
    assert logs.text_output(heard) is None
    monkeypatch.setattr(logging.root, "handlers", [output])
    output.setFormatter(logs.JsonFormatter())
    assert logs.text_output(heard) is None
