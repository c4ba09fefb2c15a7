"""Two people with matrix-js-sdk; the story is in ``js-sdk/scenario.mjs``."""

from pathlib import Path
from typing import Any

import pytest

from tests.clients.js_sdk import run_scenario
from tests.kit.server import Server, server

__all__ = ["server"]


@pytest.mark.timeout(300)
def test_two_people_chat(server: Server, tmp_path: Path) -> None:
    seen = run_scenario("scenario.mjs", server.url, tmp_path / "js-sdk")
    assert [request for request in seen["all"] if request["status"] is not None and request["status"] >= 500] == []
    assert [request for request in seen["all"] if request["status"] == 405] == []
    assert [request for request in seen["start"] if not _is_well_answered(request)] == []
    assert {"/_matrix/client/versions", "/_matrix/client/v3/pushrules/"} <= {each["path"] for each in seen["start"]}


def _is_well_answered(request: dict[str, Any]) -> bool:
    """200, or still open (None); 404 is right for what is not of the specification yet."""
    return request["status"] in (None, 200) or (request["status"] == 404 and "/unstable/" in request["path"])
