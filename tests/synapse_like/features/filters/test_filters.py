"""Filters: stored once, found again by their owner alone."""

from typing import Any

from tests.synapse_like.features.people import People, people

__all__ = ["people"]


async def test_a_filter_is_stored_and_found(people: People) -> None:
    path = "/user/@ann:test/filter"
    wanted = {"room": {"timeline": {"limit": 7}}, "org.example.note": [1.5, "é"]}
    first = await people.ok("POST", path, wanted, token="ann")
    again = await people.ok("POST", path, dict(reversed(wanted.items())), token="ann")
    other = await people.ok("POST", path, {}, token="ann")
    assert first == again != other
    assert not first["filter_id"].startswith("{")
    assert await people.ok("GET", f"{path}/{first['filter_id']}", token="ann") == wanted
    await people.quiet()
    people.queries.clear()
    await people.sync("ann", filter=first["filter_id"])
    assert not [sql for sql in people.queries if "filters" in sql]


async def test_a_filter_belongs_to_its_user(people: People) -> None:
    stored = await people.ok("POST", "/user/@ann:test/filter", {"presence": {}}, token="ann")
    path = f"/user/@ann:test/filter/{stored['filter_id']}"
    assert (await people.request("GET", path, token="ben")).status == 403
    assert (await people.request("POST", "/user/@ann:test/filter", {}, token="ben")).status == 403
    assert (await people.request("GET", path.replace("ann", "ben"), token="ben")).body["errcode"] == "M_NOT_FOUND"
    assert (await people.request("GET", "/sync", token="ben", query={"filter": "nothing"})).status == 404


async def test_what_is_no_filter_is_refused(people: People) -> None:
    path = "/user/@ann:test/filter"
    wrongs: list[dict[str, Any]] = [
        {"room": []},
        {"room": {"rooms": ["no room"]}},
        {"event_fields": "type"},
        {"presence": {"limit": "1"}},
    ]
    for wrong in wrongs:
        answer = await people.request("POST", path, wrong, token="ann")
        assert (answer.status, answer.body["errcode"]) == (400, "M_BAD_JSON"), wrong
    assert (await people.request("POST", path, b"nonsense", token="ann")).body["errcode"] == "M_NOT_JSON"
