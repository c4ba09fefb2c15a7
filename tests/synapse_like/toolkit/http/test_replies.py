"""What is on the wire around a handler: errors, CORS, authentication, HEAD, compression, the log."""

import gzip
import json
import logging
from typing import Any

import pytest
from twisted.internet import reactor

from synapse_like.toolkit.clock import Clock
from synapse_like.toolkit.http import Reply, redirect
from synapse_like.toolkit.http.access_log import redacted
from synapse_like.toolkit.http.wire import accepts_gzip
from tests.synapse_like.toolkit.http.wire_kit import get, put, serving

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    "access-control-allow-headers": "X-Requested-With, Content-Type, Authorization, Date",
}


@pytest.mark.parametrize(
    ("request_bytes", "status", "errcode"),
    [
        (get("/hello/x"), 200, None),
        (get("/nothing"), 404, "M_UNRECOGNIZED"),
        (get("/hello/x", method="DELETE"), 405, "M_UNRECOGNIZED"),
        (get("/hello/x", method="PROPFIND"), 405, "M_UNRECOGNIZED"),
        (get("/hello/%FF"), 400, "M_INVALID_PARAM"),
        (get("/whoami"), 401, "M_MISSING_TOKEN"),
        (get("/whoami", "Authorization: Bearer nobody"), 401, "M_UNKNOWN_TOKEN"),
        (get("/whoami", "Authorization: Basic YWxpY2U6"), 401, "M_MISSING_TOKEN"),
        (get("/whoami", "Authorization: Bearer "), 401, "M_MISSING_TOKEN"),
        (get("/whoami?access_token="), 401, "M_MISSING_TOKEN"),
        (get("/whoami?access_token=%FF"), 400, "M_INVALID_PARAM"),
        (get("/whoami", "Authorization: Bearer guest"), 403, "M_GUEST_ACCESS_FORBIDDEN"),
        (get("/whoami", "Authorization: Bearer locked"), 401, "M_USER_LOCKED"),
        (get("/whoami", "Authorization: Bearer alice"), 200, None),
        (get("/whoami", "authorization: bearer  alice "), 200, None),
        (get("/whoami?access_token=alice"), 200, None),
        (put("/echo/x", b"{"), 400, "M_NOT_JSON"),
        (put("/echo/x", b"[]"), 400, "M_BAD_JSON"),
        (put("/message", b"{}", method="POST"), 400, "M_BAD_JSON"),
        (get("/forbidden"), 403, "M_FORBIDDEN"),
        (get("/limited"), 429, "M_LIMIT_EXCEEDED"),
        (get("/fail"), 500, "M_UNKNOWN"),
        (get("/outage"), 503, "M_UNKNOWN"),
        (get("/unprintable"), 500, "M_UNKNOWN"),
        (get("*"), 404, "M_UNRECOGNIZED"),
    ],
)
async def test_every_reply_is_json_with_cors(request_bytes: bytes, status: int, errcode: str | None) -> None:
    async with serving() as house:
        answer = await house.ask(request_bytes)
    assert answer.status == status
    assert answer.json.get("errcode") == errcode
    assert errcode is None or isinstance(answer.json["error"], str)
    assert answer.headers.items() >= CORS.items()
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/hello/x", "/nothing", "/whoami", "*", "/hello/%FF"])
async def test_options_needs_nothing(path: str) -> None:
    async with serving() as house:
        client = await house.client()
        client.send(get(path, "Origin: https://app.example", method="OPTIONS") + get("/hello/x"))
        answer = await client.read()
        assert (answer.status, answer.body, "content-length" in answer.headers) == (204, b"", False)
        assert answer.headers.items() >= CORS.items()
        assert (await client.read()).status == 200


async def test_an_outage_is_logged_without_traceback_and_passes(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as house:
        answer = await house.ask(get("/outage"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert b"address" not in answer.body
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [(record.exc_info, "the address of the database" in record.getMessage()) for record in errors] == [
        (None, True)
    ]


async def test_head_is_get_without_the_body() -> None:
    async with serving() as house:
        client = await house.client()
        client.send(get("/page", method="HEAD") + get("/page"))
        head, whole = await client.read("HEAD"), await client.read()
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}
    assert (whole.body, whole.headers["content-type"]) == (b"<p>works</p>", "text/html; charset=utf-8")
    assert "date" in whole.headers


async def test_headers_of_errors() -> None:
    async with serving() as house:
        assert (await house.ask(get("/limited"))).headers["retry-after"] == "2"
        assert (await house.ask(get("/limited"))).json["retry_after_ms"] == 1200
        assert (await house.ask(get("/echo/x"))).headers["allow"] == "OPTIONS, PUT"


async def test_a_fault_of_ours_is_logged_once_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as house:
        answer = await house.ask(get("/fail"))
    assert answer.json == {"errcode": "M_UNKNOWN", "error": "Internal server error"}
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None and "the secret of the house" in str(record.exc_info[1])


async def test_paths_and_bodies_arrive_decoded() -> None:
    async with serving() as house:
        answer = await house.ask(put("/old/echo/a%2Fb%20%C3%A9", '{"é": [1, {"x": null}]}'.encode()))
        assert answer.json == {"name": "a/b é", "body": {"é": [1, {"x": None}]}}
        answer = await house.ask(get("http://elsewhere.example/hello/x?y"))
        assert answer.json["hello"] == "x"


@pytest.mark.parametrize("size", [10, 1100, 400_000])
@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", None, "gzip;q=0"])
async def test_long_replies_are_compressed(size: int, accepted: str | None) -> None:
    async with serving() as house:
        headers = [] if accepted is None else [f"Accept-Encoding: {accepted}"]
        answer = await house.ask(get(f"/download/{size}", *headers))
    is_compressed = size > 1000 and accepted in ("gzip", "br, gzip;q=0.5")
    assert (answer.headers.get("content-encoding") == "gzip") == is_compressed
    body = gzip.decompress(answer.body) if is_compressed else answer.body
    assert json.loads(body) == {"padding": "x" * size}
    assert (answer.headers.get("vary") == "Accept-Encoding") == (size > 1000)


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [("gzip", True), ("*", True), ("*;q=0", False), ("gzip; q=0.0", False), ("identity", False), ("", False),
     ("deflate, GZIP", True), ("gzip;q=0.001", True), ("*;q=1, gzip;q=0", False)],
)  # fmt: skip
def test_accept_encoding(accepted: str, wanted: bool) -> None:
    assert accepts_gzip(accepted) is wanted


async def test_the_access_log_tells_everything_but_tokens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "access")
    async with serving(request_id_header="X-Request-ID", tag="main") as house:
        await house.ask(get("/whoami?a=1&access_token=alice&b=2", "X-Request-ID: abc-1", 'User-Agent: te"st'))
        await house.ask(get("/whoami?access_token=alice", "X-Request-ID: not a good one"))
        await house.ask(b"GET / HTTP/1.1\r\nBad header\r\n\r\n")
    first, second, third = (record for record in caplog.records if record.name == "access")
    line = first.getMessage()
    assert "access_token=alice" not in line
    for part in ("main 127.0.0.1 @alice:test", '"GET /whoami?a=1&access_token=<redacted>&b=2" 200', '"te\'st"'):
        assert part in line
    assert vars(first)["request_id"] == "abc-1"
    assert vars(second)["request_id"].startswith("GET-")
    assert " 400 " in third.getMessage()


def test_tokens_are_redacted_wherever_they_stand() -> None:
    assert redacted("/x?access_token=a") == "/x?access_token=<redacted>"
    assert redacted("/x?loginToken=a&access_token=b&c=d") == "/x?loginToken=<redacted>&access_token=<redacted>&c=d"
    assert redacted("/x?y=1") == "/x?y=1"


class Counted:
    """Metrics that remember."""

    def __init__(self) -> None:
        self.bound: list[tuple[str, str]] = []
        self.begun: list[str] = []
        self.ended: list[tuple[str, int, int]] = []

    def of_endpoint(self, name: str, method: str) -> Any:
        self.bound.append((name, method))
        return CountedEndpoint(self, name)


class CountedEndpoint:
    """One endpoint of them."""

    def __init__(self, counted: Counted, name: str) -> None:
        self.counted = counted
        self.name = name

    def began(self) -> None:
        self.counted.begun.append(self.name)

    def ended(self, status: int, seconds: float, received_bytes: int, sent_bytes: int) -> None:
        assert seconds >= 0
        self.counted.ended.append((self.name, status, received_bytes))


async def test_metrics_are_bound_once_for_each_endpoint_before_its_first_request() -> None:
    counted = Counted()
    async with serving(metrics=counted) as house:
        assert ("Api.hello", "GET") in counted.bound
        for path in ("/hello/a", "/hello/b", "/nothing", "/nowhere", "/fail"):
            await house.ask(get(path))
        await house.ask(get("/hello/a", method="OPTIONS"))
        await house.ask(get("/hello/a", method="HEAD"))
    assert len(counted.bound) == len(set(counted.bound))
    assert {("unmatched", "-"), ("preflight", "OPTIONS")} <= set(counted.bound)
    assert [(name, status) for name, status, _ in counted.ended] == [
        ("Api.hello", 200),
        ("Api.hello", 200),
        ("unmatched", 404),
        ("unmatched", 404),
        ("Api.fail", 500),
        ("preflight", 204),
        ("Api.hello", 200),
    ]
    assert counted.begun == [name for name, _, _ in counted.ended]


@pytest.mark.parametrize(("path", "name"), [("/wait", "Api.wait"), ("/wait_deaf", "Api.wait_deaf")])
async def test_every_request_that_was_begun_is_ended(path: str, name: str) -> None:
    counted = Counted()
    async with serving(metrics=counted) as house:
        await house.ask(b"GARBAGE\r\n\r\n")
        client = await house.client()
        client.send(get(path))
        await house.api.arrival()
        client.drop()
        while len(counted.ended) < len(counted.begun):
            await Clock(reactor).sleep(0)
    assert [name for name, _, _ in counted.ended] == ["unmatched", name]


def test_a_reply_keeps_its_headers_on_their_lines() -> None:
    assert redirect("https://x/").headers == [("Location", "https://x/")]
    assert Reply(200, b"", (("content-type", "text/plain"),)).content_type == "text/plain"
    with pytest.raises(ValueError, match="Location"):
        redirect("https://x/\r\nSet-Cookie: a=b")
