"""Accounts: what they are, what is heard of them, and leaving everywhere after they were closed."""

import pytest

from synapse_like.features.accounts import Accounts, Applicant, Departures
from synapse_like.matrix.errors import NotFound, UserInUse
from tests.kit.accounts import is_alive
from tests.kit.homeserver import TestServer, server

__all__ = ["server"]


def accounts_of(server: TestServer) -> Accounts:
    front: Accounts = server.homeserver.front(Accounts)
    return front


async def test_an_account_exists_from_its_registration_on(server: TestServer) -> None:
    accounts = accounts_of(server)
    assert not await accounts.exists("@alice:test")
    await server.register("alice")
    assert await accounts.exists("@alice:test")
    assert not await accounts.is_deactivated("@alice:test")


async def test_a_name_is_given_once(server: TestServer) -> None:
    accounts = accounts_of(server)
    await accounts.register(Applicant("@alice:test"))
    with pytest.raises(UserInUse):
        await accounts.register(Applicant("@alice:test"))


async def test_what_becomes_of_an_account_is_known_at_once(server: TestServer) -> None:
    accounts = accounts_of(server)
    token = await server.register("alice")
    assert (await server.request("GET", "/_synapse/admin/v1/registration_tokens", token=token)).status == 403
    await accounts.set_admin("@alice:test", True)
    assert (await server.request("GET", "/_synapse/admin/v1/registration_tokens", token=token)).status == 200
    await accounts.set_locked("@alice:test", True)
    locked = await server.request("GET", "/account/whoami", token=token)
    assert (locked.status, locked.body["errcode"], locked.body["soft_logout"]) == (401, "M_USER_LOCKED", True)
    await accounts.set_locked("@alice:test", False)
    assert await is_alive(server, token)


async def test_nothing_becomes_of_an_account_that_is_not_there(server: TestServer) -> None:
    with pytest.raises(NotFound):
        await accounts_of(server).set_admin("@nobody:test", True)


async def test_registration_is_heard_before_the_first_session_opens(server: TestServer) -> None:
    heard = []

    async def hear(applicant: Applicant) -> None:
        heard.append((applicant.user_id, applicant.is_guest))

    accounts_of(server).on_registered.append(hear)
    await server.register("alice")
    assert heard == [("@alice:test", False)]


async def test_leaving_everywhere_is_repeated_until_it_has_worked(server: TestServer) -> None:
    left: list[tuple[str, bool]] = []
    failures = [RuntimeError("not now")]

    async def leave(user_id: str, is_erased: bool) -> None:
        if failures:
            raise failures.pop()
        left.append((user_id, is_erased))

    accounts, departures = accounts_of(server), server.homeserver.front(Departures)
    accounts.on_deactivated.append(leave)
    token = await server.register("alice")
    await accounts.close("@alice:test", is_erased=True)
    assert not await is_alive(server, token)
    departures.begin("@alice:test", True)
    await departures.idle()
    assert (left, await accounts.departing()) == ([], [("@alice:test", True)])
    await departures.resume()
    await departures.idle()
    assert (left, await accounts.departing()) == ([("@alice:test", True)], [])
