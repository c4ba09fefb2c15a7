"""The router: literals, parameters, encodings, what is not found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_like.matrix.errors import InvalidParam, Unrecognized
from synapse_like.toolkit.http import Auth, Endpoint, Request, bound, client, client_v1, declared, endpoint
from synapse_like.toolkit.http.router import DuplicateRoute, Router, WrongMethod

TEMPLATES = (
    ("GET", "/rooms/{room_id}/state"),
    ("GET", "/rooms/{room_id}/state/{event_type}"),
    ("GET", "/rooms/{room_id}/state/{event_type}/{state_key}"),
    ("PUT", "/rooms/{room_id}/state/{event_type}/{state_key}"),
    ("GET", "/rooms/{room_id}/members"),
    ("GET", "/rooms/aliases/{name}"),
    ("GET", "/profile/{user_id}"),
    ("GET", "/profile/{user_id}/{field}"),
    ("PUT", "/profile/{user_id}/displayname"),
    ("GET", "/pushrules/"),
    ("GET", "/static/{file*}"),
    ("GET", "/"),
    ("DELETE", "/rooms/{room_id}"),
)


async def _answer(request: Request[Any]) -> dict[str, Any]:
    return {}


def router_of(*templates: tuple[str, str]) -> Router:
    return Router((Endpoint(method, (path,)), _answer) for method, path in templates)


ROUTER = router_of(*TEMPLATES)


@pytest.mark.parametrize(
    ("method", "path", "template", "params"),
    [
        ("GET", "/", "/", {}),
        ("GET", "/rooms/!a:b/members", "/rooms/{room_id}/members", {"room_id": "!a:b"}),
        ("GET", "/rooms/%21a%3Ab/%6dembers", "/rooms/{room_id}/members", {"room_id": "!a:b"}),
        ("GET", "/rooms/a%2Fb/members", "/rooms/{room_id}/members", {"room_id": "a/b"}),
        ("GET", "/rooms/a+b/members", "/rooms/{room_id}/members", {"room_id": "a+b"}),
        ("GET", "/rooms/%F0%9F%A6%8A/members", "/rooms/{room_id}/members", {"room_id": "🦊"}),
        ("HEAD", "/rooms/r/state", "/rooms/{room_id}/state", {"room_id": "r"}),
        ("GET", "/rooms/r/state/t", "/rooms/{room_id}/state/{event_type}", {"room_id": "r", "event_type": "t"}),
        (
            "PUT",
            "/rooms/r/state/t/",
            "/rooms/{room_id}/state/{event_type}/{state_key}",
            {"room_id": "r", "event_type": "t", "state_key": ""},
        ),
        (
            "GET",
            "/rooms/r/state/t/%2F%25",
            "/rooms/{room_id}/state/{event_type}/{state_key}",
            {"room_id": "r", "event_type": "t", "state_key": "/%"},
        ),
        ("GET", "/rooms/aliases/x", "/rooms/aliases/{name}", {"name": "x"}),
        ("GET", "/rooms/aliases/members", "/rooms/aliases/{name}", {"name": "members"}),
        ("GET", "/rooms/aliases/state/t", "/rooms/{room_id}/state/{event_type}", None),
        ("GET", "/profile/u/displayname", "/profile/{user_id}/{field}", {"user_id": "u", "field": "displayname"}),
        ("PUT", "/profile/u/displayname", "/profile/{user_id}/displayname", {"user_id": "u"}),
        ("GET", "/pushrules/", "/pushrules/", {}),
        ("GET", "/static/a/b%20c/d.js", "/static/{file*}", {"file": "a/b c/d.js"}),
        ("GET", "/static/", "/static/{file*}", {"file": ""}),
    ],
)
def test_finds(method: str, path: str, template: str, params: dict[str, str] | None) -> None:
    match = ROUTER.match(method, path)
    assert match.route.template == template
    assert params is None or match.params == params


@pytest.mark.parametrize(
    "path",
    ["", "x", "*", "//", "/rooms", "/rooms/", "/rooms/r/", "/rooms//members", "/rooms/r/members/", "/pushrules",
     "/rooms/r/state/", "/rooms/r/state//", "/rooms/r/state/t/k/", "/Rooms/r", "/rooms/r/state/t/k/more", "/static"],
)  # fmt: skip
def test_does_not_find(path: str) -> None:
    with pytest.raises(Unrecognized) as caught:
        ROUTER.match("GET", path)
    assert (caught.value.status, caught.value.errcode) == ((405 if path == "/rooms/r" else 404), "M_UNRECOGNIZED")


def test_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(WrongMethod) as caught:
        ROUTER.match("POST", "/rooms/r/state/t/k")
    assert (caught.value.status, caught.value.allowed) == (405, "GET, HEAD, OPTIONS, PUT")
    with pytest.raises(WrongMethod) as caught:
        ROUTER.match("HEAD", "/rooms/r")
    assert caught.value.allowed == "DELETE, OPTIONS"


@pytest.mark.parametrize("path", ["/rooms/%FF/members", "/rooms/%C3/members", "/rooms/a%00b/members", "/%FF"])
def test_refuses_what_is_no_text(path: str) -> None:
    with pytest.raises(InvalidParam):
        ROUTER.match("GET", path)


def test_refuses_two_endpoints_at_one_path() -> None:
    with pytest.raises(DuplicateRoute, match="/a/{y}"):
        router_of(("GET", "/a/{x}"), ("GET", "/a/{y}"))


@given(
    st.lists(st.sampled_from(["rooms", "!r:x", "state", "members", "aliases", "", "m.t", "%2F", "static"]), max_size=9)
)
def test_agrees_with_trying_every_template(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    fitting = {template for method, template in TEMPLATES if method == "GET" and _fits(template, path)}
    try:
        found = {ROUTER.match("GET", path).route.template}
    except Unrecognized:
        found = set()
    assert found <= fitting
    assert bool(found) == bool(fitting)


def _fits(template: str, path: str) -> bool:
    wanted, given_ = template.split("/"), path.split("/")
    if template.endswith("*}"):
        return len(given_) >= len(wanted) and given_[: len(wanted) - 1] == wanted[:-1]
    return len(wanted) == len(given_) and all(
        (bool(g) or w == "{state_key}") if w.startswith("{") else w == g for w, g in zip(wanted, given_, strict=True)
    )


def test_a_long_path_is_not_found_quickly() -> None:
    with pytest.raises(Unrecognized):
        ROUTER.match("GET", "/rooms" * 50_000)


class Base:
    @endpoint("GET", client("/a/{x}", unstable="org.example"), client_v1("/a/{x}"))
    async def get_a(self, request: Request) -> dict[str, Any]:
        return {"a": self.__class__.__name__}

    @endpoint("POST", "/b", writes=("typing",))
    @endpoint("PUT", "/b", auth=Auth.GUEST)
    async def change_b(self, request: Request) -> dict[str, Any]:
        return {}


class Derived(Base):
    async def get_a(self, request: Request) -> dict[str, Any]:
        return {"a": "no endpoint any more"}

    @endpoint("DELETE", "/c")
    async def delete_c(self, request: Request) -> dict[str, Any]:
        return {}


def test_declarations_are_read_from_classes() -> None:
    assert [(e.method, e.paths, e.name) for e in declared(Base)] == [
        (
            "GET",
            (
                "/_matrix/client/v3/a/{x}",
                "/_matrix/client/r0/a/{x}",
                "/_matrix/client/unstable/org.example/a/{x}",
                "/_matrix/client/v1/a/{x}",
            ),
            "Base.get_a",
        ),
        ("POST", ("/b",), "Base.change_b"),
        ("PUT", ("/b",), "Base.change_b"),
    ]
    assert [e.method for e in declared(Derived)] == ["POST", "PUT", "DELETE"]
    assert [(e.is_idempotent, e.allows_empty_body) for e in declared(Base)] == [
        (True, False),
        (False, True),
        (True, False),
    ]


async def test_bound_endpoints_answer() -> None:
    handlers = {e.method: handler for e, handler in bound(Base())}
    assert await handlers["GET"](Request("GET", "/")) == {"a": "Base"}
