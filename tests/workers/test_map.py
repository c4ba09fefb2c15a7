"""The map says what the code does, and what the specification has and the code has not."""

import pytest

from workers import map as server_map
from workers.__main__ import main


def test_it_shows_kinds_and_what_they_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map"]) == 0
    text = capsys.readouterr().out
    kinds = text.split("\n\n")[0]
    assert "event_writer" in kinds
    assert any("events" in line and line.strip().startswith("writes") for line in kinds.splitlines())
    assert "sync                by user" in text


def test_missing_covers_both_apis_and_nothing_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "--missing"]) == 0
    text = capsys.readouterr().out
    assert "endpoints of the client-server API" in text
    assert "endpoints of the server-server API" in text
    gaps = server_map.missing()
    assert {api for api, _, _ in gaps} <= {"client", "server"}
    assert ("client", "GET", "/_matrix/client/v3/sync") not in gaps
    assert ("server", "GET", "/_matrix/federation/v1/openid/userinfo") not in gaps
