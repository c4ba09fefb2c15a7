"""Mutual rooms: those that both have joined now, in pages."""

import pytest

from synapse_like.features.mutual_rooms import api
from tests.synapse_like.features.people import People, people

__all__ = ["people"]

PATH = "/_matrix/client/v1/mutual_rooms"
UNSTABLE = "/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms"


async def test_rooms_that_both_have_joined(people: People) -> None:
    shared, left, alone = [await people.found_room("ann") for _ in range(3)]
    for room_id in (shared, left):
        await people.enter("ben", room_id)
    await people.leave("ben", left)
    for path in (PATH, UNSTABLE):
        found = await people.ok("GET", path, token="ann", query={"user_id": "@ben:test"})
        assert found == {"joined": [shared], "count": 1}
    assert (await people.ok("GET", PATH, token="ben", query={"user_id": "@ann:test"}))["joined"] == [shared]
    assert (await people.ok("GET", PATH, token="ann", query={"user_id": "@nobody:else"}))["joined"] == []
    assert alone != shared


async def test_pages(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAGE", 2)
    rooms = [await people.found_room("ann") for _ in range(5)]
    for room_id in rooms:
        await people.enter("ben", room_id)
    pages, token = [], None
    while True:
        query = {"user_id": "@ben:test", **({"from": token} if token else {})}
        page = await people.ok("GET", PATH, token="ann", query=query)
        assert page["count"] == 5
        pages.append(page["joined"])
        token = page.get("next_batch")
        if token is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(rooms) == [room_id for page in pages for room_id in page]


@pytest.mark.parametrize(
    ("query", "errcode"),
    [
        ({}, "M_MISSING_PARAM"),
        ({"user_id": "ben"}, "M_INVALID_PARAM"),
        ({"user_id": "@ann:test"}, "M_INVALID_PARAM"),
        ({"user_id": "@ben:test", "from": "%%"}, "M_INVALID_PARAM"),
        ({"user_id": "@ben:test", "from": "eHg"}, "M_INVALID_PARAM"),
        ({"user_id": "@ben:test", "from": "é"}, "M_INVALID_PARAM"),
    ],
)
async def test_wrong_questions(people: People, query: dict[str, str], errcode: str) -> None:
    answer = await people.request("GET", PATH, token="ann", query=query)
    assert (answer.status, answer.body["errcode"]) == (400, errcode)
