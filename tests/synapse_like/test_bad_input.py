"""Whatever anybody sends to any endpoint: a Matrix error, no traceback, and nothing stored (DESIGN.md 6.5)."""

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from replication.sql import all_positions
from synapse_like.toolkit.http.endpoint import Endpoint
from tests.kit import reactor
from tests.kit.accounts import make_admin
from tests.kit.homeserver import Answer, TestServer
from tests.synapse_like.wild_requests import Wild, wild_requests
from workers.map import endpoints

EXAMPLES = {"sqlite": 25, "postgresql": 5}
REPEATS = 5
SECONDS = 20.0


class Place:
    """People with a room and all else that a path can name, made anew for each endpoint."""

    def __init__(self, server: TestServer, number: int) -> None:
        self.server = server
        self.names = [f"alice{number}", f"bob{number}"]
        self.tokens: list[str] = []
        self.known: dict[str, list[str]] = {}

    async def furnish(self) -> None:
        """Make what is needed."""
        server = self.server
        alice, bob = await make_admin(server, self.names[0]), await server.register(self.names[1])
        guest = await server.ok("POST", "/register", {}, query={"kind": "guest"})
        room_id = await server.create_room(alice, preset="public_chat", room_alias_name=self.names[0])
        await server.join(bob, room_id)
        user_ids = [f"@{name}:test" for name in self.names]
        alias = f"#{self.names[0]}:test"
        filter_id = (await server.ok("POST", f"/user/{user_ids[0]}/filter", {}, token=alice))["filter_id"]
        self.tokens = [alice, bob, guest["access_token"]]
        self.known = {
            "room_id": [room_id],
            "room_id_or_alias": [room_id, alias],
            "room_alias": [alias, f"#new-{self.names[0]}:test"],
            "user_id": [*user_ids, guest["user_id"]],
            "event_id": [await server.send(bob, room_id)],
            "event_type": ["m.room.message", "m.room.name", "m.room.member", "m.room.power_levels"],
            "state_key": ["", user_ids[0]],
            "filter_id": [filter_id],
            "device_id": [(await server.ok("GET", "/account/whoami", token=alice))["device_id"]],
            "kind": ["override", "underride", "content", "room", "sender"],
            "rule_id": [".m.rule.master", "mine", room_id],
            "type": ["m.read", "m.read.private", "m.fully_read", "m.direct", "m.tag", "m.ignored_user_list"],
            "key": ["displayname", "avatar_url", "m.tz"],
            "stage": ["m.login.dummy", "m.login.registration_token", "m.login.terms"],
            "token": ["unknown", (await server.sync(alice))["next_batch"]],
        }

    async def check(self, wild: Wild) -> None:
        """Send a wild request. A refusal must be well-formed and must not move any log, however often it is repeated.

        What earlier requests left to do may move logs meanwhile, so one quiet repeat is enough.
        """
        for _ in range(REPEATS):
            before = await self._positions()
            answer = await self._send(wild)
            check_answer(answer)
            if answer.status < 400 or await self._positions() == before:
                await self._renew(wild, answer)
                return
        raise AssertionError(f"{wild} was refused and stored something")

    async def _send(self, wild: Wild) -> Answer:
        token = None if wild.person is None else self.tokens[wild.person]
        return await self.server.request(wild.method, wild.target, wild.body, token=token)

    async def _renew(self, wild: Wild, answer: Answer) -> None:
        """Who has lost the session is replaced."""
        if wild.person is not None and answer.status == 401:
            token = self.tokens[wild.person]
            if (await self.server.request("GET", "/account/whoami", token=token)).status == 401:
                self.tokens[wild.person] = await self.server.register(f"{self.names[0]}-{len(self.server.queries)}")

    async def _positions(self) -> Any:
        return await self.server.homeserver.kit.database.read(all_positions)


def check_answer(answer: Answer) -> None:
    """Whatever the status: never our fault, and errors are Matrix errors."""
    is_of_another_server = answer.status in (502, 504) and answer.body["errcode"].startswith("M_CONNECTION_")
    assert 200 <= answer.status < 500 or is_of_another_server, answer
    if answer.status >= 400:
        assert isinstance(answer.body, dict), answer
        is_asked_for_more = answer.status == 401 and "flows" in answer.body
        assert is_asked_for_more or str(answer.body.get("errcode", "")).startswith("M_"), answer
        assert is_asked_for_more or isinstance(answer.body.get("error"), str), answer


def fuzz(place: Place, endpoint: Endpoint, examples: int, caplog: pytest.LogCaptureFixture) -> None:
    """Send wild requests to one endpoint."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(wild_requests(endpoint, place.known))
    def send(wild: Wild) -> None:
        caplog.clear()
        reactor.run(place.check(wild), SECONDS)
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
        assert [(record.getMessage(), record.exc_text) for record in errors] == []

    send()


@pytest.mark.config(allow_guest_access=True)
@pytest.mark.timeout(170)
def test_no_request_is_our_fault_or_leaves_a_trace_when_refused(
    server: TestServer, caplog: pytest.LogCaptureFixture
) -> None:
    examples = EXAMPLES[server.homeserver.kit.database.engine.name]
    for number, (_, endpoint) in enumerate(endpoints()):
        place = Place(server, number)
        reactor.run(place.furnish(), SECONDS)
        fuzz(place, endpoint, examples, caplog)
