"""Asking other servers for keys of their users: from the cache if it is current, else from the servers themselves."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson
from twisted.internet.defer import Deferred, DeferredSemaphore

from synapse_like.features.device_keys import RemoteAnswer
from synapse_like.features.one_time_keys import Claimed, Claims
from synapse_like.features.remote_devices.cache import RemoteDeviceCache
from synapse_like.features.remote_devices.documents import (
    UserKeys,
    cross_signing_key,
    device_keys,
    loaded,
    user_keys_in,
)
from synapse_like.federation.client import FederationClient, path_of
from synapse_like.matrix.errors import MatrixError
from synapse_like.rooms.hosts import server_of
from synapse_like.toolkit.outages import OUTAGES
from synapse_like.toolkit.shared import SharedWork
from synapse_like.toolkit.together import together

logger = logging.getLogger(__name__)

FEW_USERS: Final = 10
"""Of so many users of one server the whole lists are fetched and kept; of more, only what was asked for."""
AT_ONCE: Final = 20
MIN_TIMEOUT_S: Final = 1.0
_TRIES: Final = 2
"""How often a list is fetched, if an update comes while it is on its way."""
_PREFIX: Final = "/_matrix/federation/v1/user"

Wanted = Mapping[str, Sequence[str]]


class RemoteKeyAsking:
    """The keys of other servers' users (`device_keys.RemoteKeys`)."""

    def __init__(self, client: FederationClient, cache: RemoteDeviceCache) -> None:
        self._client = client
        self._cache = cache
        self._slots = DeferredSemaphore(AT_ONCE)
        self._fetching: SharedWork[str, UserKeys] = SharedWork()
        cache.missed = self.fetch_soon

    async def query(self, wanted: Wanted, timeout_ms: int) -> RemoteAnswer:
        """The keys of users (no devices: all)."""
        current, stale, sharers = await self._cache.known(list(wanted))
        answer = RemoteAnswer()
        for user_id, keys in current.items():
            _show(answer, user_id, keys, wanted[user_id])
        by_server: dict[str, list[str]] = {}
        for user_id in wanted:
            if user_id not in current:
                by_server.setdefault(server_of(user_id), []).append(user_id)
        timeout_s = max(MIN_TIMEOUT_S, timeout_ms / 1000)
        asked = (
            self._ask(server, {user_id: wanted[user_id] for user_id in users}, sharers, (answer, stale), timeout_s)
            for server, users in by_server.items()
        )
        await together(asked)
        return answer

    async def claim(self, claims: Claims, timeout_ms: int) -> tuple[Claimed, dict[str, Any]]:
        """One-time keys of devices, and failures by server."""
        by_server: dict[str, dict[str, Mapping[str, str]]] = {}
        for user_id, devices in claims.items():
            by_server.setdefault(server_of(user_id), {})[user_id] = devices
        claimed: Claimed = {}
        failures: dict[str, Any] = {}
        timeout_s = max(MIN_TIMEOUT_S, timeout_ms / 1000)
        await together(self._claim(server, users, claimed, failures, timeout_s) for server, users in by_server.items())
        return claimed, failures

    def fetch_soon(self, user_id: str) -> None:
        """Fetch the whole list of a user, without anybody waiting for it."""
        fetching = Deferred.fromCoroutine(self.fetch(user_id, 30.0))
        _ = fetching.addErrback(lambda failure: logger.info("devices of %s: %s", user_id, failure.getErrorMessage()))

    async def fetch(self, user_id: str, timeout_s: float) -> UserKeys:
        """The whole list of a user from the user's server; kept while a room is shared. Raises MatrixError."""
        return await self._fetching.run(user_id, lambda: self._fetch(user_id, timeout_s))

    async def _fetch(self, user_id: str, timeout_s: float) -> UserKeys:
        path = path_of(f"{_PREFIX}/devices", user_id)
        tries = 0
        while True:
            tries += 1
            document = await self._client.get(server_of(user_id), path, timeout_s=timeout_s)
            keys = user_keys_in(user_id, document)
            if await self._cache.store(user_id, keys) or tries >= _TRIES:
                return keys

    async def _ask(
        self,
        server: str,
        wanted: Wanted,
        sharers: set[str],
        found: tuple[RemoteAnswer, Mapping[str, UserKeys]],
        timeout_s: float,
    ) -> None:
        """Ask one server for its users; if it fails, show what is known of old."""
        answer, stale = found
        kept = [user_id for user_id in wanted if user_id in sharers]
        fetched = kept if len(kept) <= FEW_USERS else []
        others = {user_id: devices for user_id, devices in wanted.items() if user_id not in fetched}
        await self._slots.acquire()
        try:
            for user_id in fetched:
                _show(answer, user_id, await self.fetch(user_id, timeout_s), wanted[user_id])
            if others:
                body = {"device_keys": {user_id: list(devices) for user_id, devices in others.items()}}
                document = await self._client.post(server, f"{_PREFIX}/keys/query", body, timeout_s=timeout_s)
                _show_document(answer, others, document)
        except (MatrixError, *OUTAGES) as error:
            answer.failures[server] = _failure(error)
            for user_id in wanted:
                if user_id in stale and user_id not in answer.device_keys:
                    _show(answer, user_id, stale[user_id], wanted[user_id])
        finally:
            self._slots.release()

    async def _claim(
        self, server: str, users: Claims, claimed: Claimed, failures: dict[str, Any], timeout_s: float
    ) -> None:
        await self._slots.acquire()
        try:
            body = {"one_time_keys": {user_id: dict(devices) for user_id, devices in users.items()}}
            document = await self._client.post(server, f"{_PREFIX}/keys/claim", body, timeout_s=timeout_s)
        except MatrixError as error:
            failures[server] = _failure(error)
            return
        finally:
            self._slots.release()
        keys = document.get("one_time_keys") if isinstance(document, dict) else None
        for user_id, devices in users.items():
            given = keys.get(user_id) if isinstance(keys, dict) else None
            if not isinstance(given, dict):
                continue
            for device_id in devices:
                one = given.get(device_id)
                if isinstance(one, dict) and one:
                    raws = {str(name): msgspec.Raw(orjson.dumps(value)) for name, value in list(one.items())[:1]}
                    claimed.setdefault(user_id, {})[device_id] = raws


def _show(answer: RemoteAnswer, user_id: str, keys: UserKeys, devices: Sequence[str]) -> None:
    """Add the keys of a user to an answer."""
    chosen = devices or list(keys.devices)
    answer.device_keys[user_id] = {each: loaded(keys.devices[each]) for each in chosen if each in keys.devices}
    if keys.master_key is not None:
        answer.master_keys[user_id] = loaded(keys.master_key)
    if keys.self_signing_key is not None:
        answer.self_signing_keys[user_id] = loaded(keys.self_signing_key)


def _show_document(answer: RemoteAnswer, wanted: Wanted, document: Any) -> None:
    """Add what POST /user/keys/query has answered: of the users that were asked for, and of the right shape."""
    if not isinstance(document, dict):
        return
    for user_id, devices in wanted.items():
        found = _part(document, "device_keys", user_id)
        shown = {}
        for device_id, keys in found.items() if isinstance(found, dict) else ():
            if (not devices or device_id in devices) and (text := device_keys(user_id, device_id, keys)) is not None:
                shown[device_id] = loaded(text)
        answer.device_keys[user_id] = shown
        for name, keys_of in (
            ("master_keys", answer.master_keys),
            ("self_signing_keys", answer.self_signing_keys),
        ):
            if (text := cross_signing_key(user_id, _part(document, name, user_id))) is not None:
                keys_of[user_id] = loaded(text)


def _part(document: Mapping[str, Any], name: str, user_id: str) -> Any:
    part = document.get(name)
    return part.get(user_id) if isinstance(part, dict) else None


def _failure(error: BaseException) -> dict[str, Any]:
    return {"status": 503, "message": str(error) or type(error).__name__}
